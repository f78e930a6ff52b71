// Compares nms on every instruction set with its definition; tests edge cases and ties.
#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "fcm/ops/cases.h"
#include "fcm/ops/nms/op.h"
#include "fcm/ops/reference_ops.h"
#include "fcm/ops/with_isa.h"
#include "tests/support/compare.h"

namespace fcm::ops {
namespace {

using NmsBox = std::array<float, 4>;

struct NmsInput {
  std::vector<NmsBox> boxes;
  std::vector<float> scores;
  std::vector<int64_t> groups;
  double threshold = 0;

  at::Tensor boxes_N4() const {
    at::Tensor all = at::empty({std::ssize(boxes), 4});
    for (int64_t i = 0; i < std::ssize(boxes); ++i) {
      for (int64_t k = 0; k < 4; ++k) {
        all[i][k] = boxes[static_cast<size_t>(i)][static_cast<size_t>(k)];
      }
    }
    return all;
  }
  at::Tensor scores_N() const { return at::tensor(scores, at::kFloat); }
  at::Tensor groups_N() const { return at::tensor(groups, at::kLong); }
};

// Intersection over union, computed in type A. The type matters: a ratio of one third is above the
// threshold 1. / 3 if computed in float32, but not in float64.
template <class A>
double plain_ratio(const NmsBox& one, const NmsBox& other) {
  const std::array<A, 4> a{one[0], one[1], one[2], one[3]},
      b{other[0], other[1], other[2], other[3]};
  const A width = std::max(A(0), std::min(a[2], b[2]) - std::max(a[0], b[0]));
  const A height = std::max(A(0), std::min(a[3], b[3]) - std::max(a[1], b[1]));
  const A shared = width * height;
  const A whole = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared;
  return static_cast<double>(shared / whole);
}

// nms by its definition: box by box in the order of scores. drops(ratio) says whether a kept box
// removes another one.
template <class A, class Drops>
std::vector<int64_t> plain_nms(const NmsInput& in, const Drops& drops) {
  std::vector<int64_t> order(in.boxes.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&](int64_t a, int64_t b) {
    return in.scores[static_cast<size_t>(a)] > in.scores[static_cast<size_t>(b)];
  });
  std::vector<int64_t> kept;
  for (const int64_t i : order) {
    const auto of = [&](int64_t k) { return static_cast<size_t>(k); };
    if (std::ranges::none_of(kept, [&](int64_t k) {
          return in.groups[of(k)] == in.groups[of(i)] &&
                 drops(plain_ratio<A>(in.boxes[of(k)], in.boxes[of(i)]));
        })) {
      kept.push_back(i);
    }
  }
  return kept;
}

template <class A = float>
std::vector<int64_t> plain_nms(const NmsInput& in) {
  return plain_nms<A>(in, [&](double ratio) { return ratio > in.threshold; });
}

std::vector<int64_t> numbers_of(const at::Tensor& kept_K) {
  EXPECT_EQ(kept_K.scalar_type(), at::kLong);
  const at::Tensor kept = kept_K.contiguous();
  return {kept.const_data_ptr<int64_t>(), kept.const_data_ptr<int64_t>() + kept.numel()};
}

// Random boxes with corners on a small grid and few distinct scores. So equal boxes, equal scores,
// ratios equal to the threshold, and empty or inverted boxes are frequent.
rc::Gen<NmsInput> nms_inputs() {
  return rc::gen::exec([] {
    NmsInput in;
    const int count = *rc::gen::inRange(0, 70);
    const int sides = *rc::gen::element(3, 6, 12);
    for (int i = 0; i < count; ++i) {
      NmsBox box{};
      for (size_t k = 0; k < 2; ++k) {
        box[k] = static_cast<float>(*rc::gen::inRange(0, 8));
        box[k + 2] = box[k] + static_cast<float>(*rc::gen::inRange(-1, sides));
      }
      in.boxes.push_back(box);
      in.scores.push_back(static_cast<float>(*rc::gen::inRange(0, 20)) / 8);
      in.groups.push_back(*rc::gen::element(-3, 0, 4));
    }
    in.threshold = *rc::gen::element(0., .25, 1. / 3, .5, .7, 1.);
    return in;
  });
}

class NmsIsaTest : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (!can_run(GetParam())) GTEST_SKIP() << "no " << isa_name(GetParam()) << " on this CPU";
  }
};

TEST_P(NmsIsaTest, EqualsThePlainFormForAnyBoxes) {
  EXPECT_TRUE(rc::check([this] {
    const NmsInput in = *nms_inputs();
    const std::vector<int64_t> wanted = plain_nms(in);
    RC_ASSERT(numbers_of(nms_with(GetParam(), in.boxes_N4(), in.scores_N(), in.groups_N(),
                                  in.threshold)) == wanted);
    RC_ASSERT(numbers_of(nms_reference(in.boxes_N4(), in.scores_N(), in.groups_N(),
                                       in.threshold)) == wanted);
    NmsInput one = in;
    std::ranges::fill(one.groups, 0);
    RC_ASSERT(numbers_of(nms_with(GetParam(), in.boxes_N4().to(at::kDouble), in.scores_N(), {},
                                  in.threshold)) == plain_nms<double>(one));
  }));
}

// The last kept box drops the box after it. The boxes are at every position within a vector.
TEST_P(NmsIsaTest, ABoxIsDroppedByTheLastThatStays) {
  for (int64_t before = 0; before < 40; ++before) {
    const at::Tensor left_N = at::arange(before + 2, at::kFloat).mul(10);
    at::Tensor boxes_N4 = at::stack({left_N, left_N * 0, left_N + 8, left_N * 0 + 8}, 1);
    boxes_N4[before + 1] = boxes_N4[before] + 0.5;
    const at::Tensor scores_N = -at::arange(before + 2, at::kFloat);
    EXPECT_EQ(nms_with(GetParam(), boxes_N4, scores_N, {}, .5).size(0), before + 1);
    EXPECT_EQ(nms_with(GetParam(), boxes_N4, scores_N, {}, .9).size(0), before + 2);
  }
}

TEST_P(NmsIsaTest, EqualsTheReferenceOnManyBoxes) {
  for (const OpCase& op_case : nms_cases().cases) {
    if (op_case.forward_elements > 2e4) continue;  // larger cases run the same code, but slowly
    const OpCase::Inputs in = op_case.inputs(at::kFloat, 5);
    for (const double threshold : {.3, .5, .7}) {
      EXPECT_TRUE(at::equal(nms_with(GetParam(), in[0], in[1], in[2], threshold),
                            nms_reference(in[0], in[1], in[2], threshold)))
          << op_case.name << " " << threshold;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, NmsIsaTest,
                         testing::Values(Isa::kPlain, Isa::kAvx2, Isa::kAvx512, Isa::kAmx),
                         [](const auto& isa) { return std::string(isa_name(isa.param)); });

// Boxes with a ratio of exactly 0.5 stay at the threshold 0.5 and are dropped at one just below.
TEST(Nms, ARatioThatIsTheThresholdStays) {
  const at::Tensor boxes_N4 =
      at::tensor({0., 0., 2., 2., 0., 0., 2., 1.}).view({2, 4}).to(at::kFloat);
  const at::Tensor scores_N = at::tensor({.9, .8});
  EXPECT_EQ(nms(boxes_N4, scores_N, {}, .5).size(0), 2);
  EXPECT_EQ(nms(boxes_N4, scores_N, {}, std::nextafter(.5, 0)).size(0), 1);
  EXPECT_EQ(nms(boxes_N4, scores_N, {}, std::nextafter(.5, 1)).size(0), 2);
}

TEST(Nms, EqualBoxesLeaveTheFirstOfTheHighestScore) {
  const at::Tensor boxes_N4 = at::tensor({1.F, 2.F, 5.F, 7.F}).expand({6, 4});
  const at::Tensor scores_N = at::tensor({.1F, .7F, .2F, .7F, .7F, .3F});
  EXPECT_EQ(numbers_of(nms(boxes_N4, scores_N, {}, .99)), (std::vector<int64_t>{1}));
  const at::Tensor groups_N = at::tensor({1, 0, 1, 2, 0, 1}, at::kLong);
  EXPECT_EQ(numbers_of(nms(boxes_N4, scores_N, groups_N, .99)), (std::vector<int64_t>{1, 3, 5}));
  // At threshold 1 all boxes stay, because no ratio is above 1.
  EXPECT_EQ(numbers_of(nms(boxes_N4, scores_N, {}, 1)), (std::vector<int64_t>{1, 3, 4, 5, 2, 0}));
}

TEST(Nms, WhatIsNoNumberDropsNothingAndIsNotDropped) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN(),
                  kInfinity = std::numeric_limits<float>::infinity();
  const at::Tensor boxes_N4 = at::tensor({0.F,  0.F, 4.F,       4.F,  //
                                          kNan, 0.F, 4.F,       4.F,  //
                                          0.F,  0.F, 4.F,       4.F,  //
                                          0.F,  0.F, kInfinity, 4.F,  //
                                          0.F,  0.F, kInfinity, 4.F})
                                  .view({5, 4});
  const at::Tensor scores_N = at::tensor({.5F, .9F, .4F, .8F, .7F});
  for (const bool reference : {false, true}) {
    const ReferenceOps by_reference(reference);
    EXPECT_EQ(numbers_of(nms(boxes_N4, scores_N, {}, .5)), (std::vector<int64_t>{1, 3, 4, 0}));
    // A NaN score sorts first, as in LibTorch.
    EXPECT_EQ(
        numbers_of(nms(boxes_N4.narrow(0, 0, 1).expand({2, 4}), at::tensor({.5F, kNan}), {}, .5)),
        (std::vector<int64_t>{1}));
    EXPECT_EQ(nms(boxes_N4.narrow(0, 0, 0), scores_N.narrow(0, 0, 0), {}, .5).size(0), 0);
  }
}

TEST(Nms, NoGradientIsAskedFor) {
  const at::Tensor boxes_N4 = at::rand({5, 4}).requires_grad_(true);
  EXPECT_FALSE(nms(boxes_N4, at::rand({5}).requires_grad_(true), {}, .5).requires_grad());
}

// Negative control of EqualsThePlainFormForAnyBoxes: on similar random boxes, the comparison
// detects >= in place of >, and groups that are merged.
TEST(NmsControls, OtherRulesGiveOtherBoxes) {
  int64_t not_strict = 0, met = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    NmsInput in;
    in.threshold = .5;
    const at::Tensor places = case_values({40, 3}, at::kDouble, seed).mul(4).round();
    for (int64_t i = 0; i < 40; ++i) {
      const auto x = places[i][0].item<float>(), y = places[i][1].item<float>();
      in.boxes.push_back({x, y, x + 4, y + (i % 3 == 0 ? 2.F : 4.F)});
      in.scores.push_back(places[i][2].item<float>());
      in.groups.push_back(i % 2);
    }
    const auto got = numbers_of(nms(in.boxes_N4(), in.scores_N(), in.groups_N(), in.threshold));
    EXPECT_EQ(got, plain_nms(in));
    not_strict += got != plain_nms<float>(in, [](double ratio) { return ratio >= .5; });
    met += got != numbers_of(nms(in.boxes_N4(), in.scores_N(), {}, in.threshold));
  }
  EXPECT_GT(not_strict, 0);
  EXPECT_GT(met, 0);
}

TEST(Nms, RefusesWrongShapesAndTypes) {
  const at::Tensor boxes_N4 = at::zeros({3, 4}), scores_N = at::zeros({3});
  EXPECT_THROW(nms(at::zeros({3, 5}), scores_N, {}, .5), std::logic_error);
  EXPECT_THROW(nms(boxes_N4.to(at::kBFloat16), scores_N, {}, .5), std::logic_error);
  EXPECT_THROW(nms(boxes_N4, at::zeros({2}), {}, .5), std::logic_error);
  EXPECT_THROW(nms(boxes_N4, scores_N, at::zeros({3}), .5), std::logic_error);
  EXPECT_THROW(nms(boxes_N4, scores_N, {}, -.5), std::logic_error);
}

}  // namespace
}  // namespace fcm::ops
