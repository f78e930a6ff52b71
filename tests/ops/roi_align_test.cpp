// Tests the roi_align kernels of every instruction set: known answers, borders, and guarantees such
// as bits that do not depend on the number of threads.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "fcm/ops/cases.h"
#include "fcm/ops/roi_align/op.h"
#include "fcm/ops/with_isa.h"
#include "tests/support/compare.h"
#include "tests/support/gradcheck.h"

namespace fcm::ops {
namespace {

using test::compare;
using test::same_bits;

// Two images, each with a map of 12 x 16 cells and one of half the size, and boxes on them.
struct RoiScene {
  std::vector<at::Tensor> maps;
  at::Tensor boxes_R4, image_R, level_R;
  std::vector<double> scales{1. / 4, 1. / 8};
};

RoiScene roi_scene(int64_t channels, at::ScalarType dtype) {
  RoiScene scene;
  for (const int64_t part : {1, 2}) {
    scene.maps.push_back(
        case_values({2, 12 / part, 16 / part, channels}, dtype, static_cast<uint64_t>(part)));
  }
  // Boxes inside the map, empty, inverted, tiny, crossing one side, larger than the map, and with
  // corners on cell borders.
  scene.boxes_R4 = at::tensor({3.1,  5.2,  41.3, 30.4,  9.,    4.,  9.,  33., 30., 20.,  10.,
                               40.,  20.3, 11.1, 20.31, 11.12, -9., 3.,  14., 70., -50., -40.,
                               120., 90.,  8.,   8.,    36.,   36., 60., 44., 90., 80.,  -40.,
                               -30., -20., -10., 0.,    0.,    64., 48., 2.2, 1.7, 5.1,  47.9})
                       .view({11, 4})
                       .to(at::kFloat);
  scene.image_R = at::arange(11, at::kLong).remainder(2);
  scene.level_R = at::arange(11, at::kLong).div(2, "floor").remainder(2);
  return scene;
}

test::TensorFunction align_by(Isa isa, const RoiScene& scene, int64_t bins) {
  return [=](const test::Inputs& maps) {
    return roi_align_with(isa, maps, scene.boxes_R4, scene.image_R, scene.level_R, scene.scales,
                          bins);
  };
}

test::TensorFunction align_by_reference(const RoiScene& scene, int64_t bins) {
  return [=](const test::Inputs& maps) {
    return roi_align_reference(maps, scene.boxes_R4, scene.image_R, scene.level_R, scene.scales,
                               bins);
  };
}

class RoiAlignIsaTest : public testing::TestWithParam<Isa> {
 protected:
  const test::OneThread one_thread_;

  void SetUp() override {
    if (!can_run(GetParam())) GTEST_SKIP() << "no " << isa_name(GetParam()) << " on this CPU";
  }
  void expect_equal(int64_t channels, int64_t bins, at::ScalarType dtype) const {
    const RoiScene scene = roi_scene(channels, dtype);
    test::Inputs wide;
    for (const at::Tensor& map : scene.maps) wide.push_back(map.to(at::kDouble));
    const test::Inputs got = test::with_gradients(align_by(GetParam(), scene, bins), scene.maps);
    const test::Inputs wanted = test::with_gradients(align_by_reference(scene, bins), wide);
    const double tolerance = dtype == at::kFloat ? 1e-5 : (dtype == at::kDouble ? 1e-12 : 2e-2);
    ASSERT_EQ(got.size(), wanted.size());
    for (size_t i = 0; i < got.size(); ++i) {
      EXPECT_EQ(got[i].scalar_type(), dtype);
      EXPECT_EQ(compare(got[i], wanted[i], tolerance).description, "")
          << channels << " channels, " << bins << " bins, " << c10::toString(dtype) << ", output "
          << i;
    }
  }
};

// Channels around multiples of the vector width and of the number held in registers.
TEST_P(RoiAlignIsaTest, EqualsTheReferenceForEveryNumberOfChannels) {
  for (const int64_t channels : {1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100, 129, 256, 259}) {
    expect_equal(channels, 7, at::kFloat);
  }
  for (const auto dtype : {at::kBFloat16, at::kDouble}) {
    for (const int64_t channels : {1, 6, 16, 21, 70, 256}) expect_equal(channels, 3, dtype);
  }
}

TEST_P(RoiAlignIsaTest, EqualsTheReferenceForEveryNumberOfBins) {
  for (const int64_t bins : {1, 2, 5, 14, 28}) expect_equal(6, bins, at::kFloat);
}

INSTANTIATE_TEST_SUITE_P(All, RoiAlignIsaTest,
                         testing::Values(Isa::kPlain, Isa::kAvx2, Isa::kAvx512, Isa::kAmx),
                         [](const auto& isa) { return std::string(isa_name(isa.param)); });

// Pools one box from one map at scale 1 in float64. [bins, bins]
at::Tensor cut(const at::Tensor& map_HW, const std::vector<double>& box, int64_t bins) {
  return roi_align({map_HW.unsqueeze(0).unsqueeze(3)}, at::tensor(box, at::kDouble).view({1, 4}),
                   at::zeros({1}, at::kLong), at::zeros({1}, at::kLong), {1}, bins)
      .view({bins, bins});
}

// Bilinear samples of a linear function are exact, so a bin equals the function at its centre.
TEST(RoiAlign, APlaneGivesTheMiddlesOfBins) {
  const at::Tensor y_H1 = at::arange(20, at::kDouble).unsqueeze(1),
                   x_1W = at::arange(30, at::kDouble).unsqueeze(0);
  const at::Tensor got_PP = cut(3 * y_H1 + x_1W, {4.5, 2.25, 18.5, 16.25}, 7);
  const at::Tensor middle_P = at::arange(7, at::kDouble) * 2 + 1;
  const at::Tensor wanted_PP =
      3 * (2.25 - .5 + middle_P).unsqueeze(1) + (4.5 - .5 + middle_P).unsqueeze(0);
  EXPECT_EQ(compare(got_PP, wanted_PP, 1e-13).description, "");
  // Negative control: without the half-pixel offset the centres differ.
  EXPECT_NE(compare(got_PP, wanted_PP + 2, 1e-3).description, "");
}

// On a map of ones, a bin is the fraction of its samples that are close enough to the map to count.
TEST(RoiAlign, SamplesCountUpToOneCellBeyondTheMap) {
  const at::Tensor ones = at::ones({4, 6}, at::kDouble);
  // Two samples per bin: the first bin's, at -2.25 and -1.25, do not count; the second bin's do.
  EXPECT_EQ(
      compare(cut(ones, {-2.25, 1, 1.75, 3}, 2), at::tensor({0., 1., 0., 1.}).view({2, 2}), 1e-15)
          .description,
      "");
  // Samples exactly at -1 and at 6 count; samples beyond do not.
  EXPECT_EQ(cut(ones, {-1, 0, 0, 1}, 1).item<double>(), 1);
  EXPECT_EQ(cut(ones, {-1.01, 0, -.01, 1}, 1).item<double>(), 0);
  EXPECT_EQ(cut(ones, {6, 0, 7, 1}, 1).item<double>(), 1);
  EXPECT_EQ(cut(ones, {6.01, 0, 7.01, 1}, 1).item<double>(), 0);
  EXPECT_EQ(cut(ones, {0, 4, 1, 5}, 1).item<double>(), 1);
  EXPECT_EQ(cut(ones, {0, 4.01, 1, 5.01}, 1).item<double>(), 0);
}

TEST(RoiAlign, BoxesWithoutSamplesGiveZerosAndNoGradient) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN(),
                   kInfinity = std::numeric_limits<double>::infinity();
  const at::Tensor map = at::ones({5, 5}, at::kDouble).set_requires_grad(true);
  for (const std::vector<double>& box : {std::vector<double>{2, 1, 2, 4},
                                         {1, 3, 4, 3},
                                         {4, 1, 1, 4},
                                         {1, 4, 4, 1},
                                         {kNan, 1, 4, 4},
                                         {1, 1, 4, kNan},
                                         {1, 1, kInfinity, 4},
                                         {-kInfinity, 1, 4, 4},
                                         {0, 0, 3e6, 3e6}}) {
    const at::Tensor got = cut(map, box, 3);
    EXPECT_EQ(got.abs().max().item<double>(), 0) << box[0] << " " << box[2];
    const auto gradient = torch::autograd::grad({got.sum()}, {map});
    EXPECT_EQ(gradient[0].abs().max().item<double>(), 0) << box[0] << " " << box[2];
  }
}

TEST(RoiAlign, TheSameBitsForAnyNumberOfThreads) {
  for (const OpCase& op_case : roi_align_cases().cases) {
    if (op_case.name != "few_box_head" && op_case.name != "few_mask_head") continue;
    for (const auto dtype : {at::kFloat, at::kBFloat16}) {
      const auto run = [&](int threads) {
        const int before = at::get_num_threads();
        at::set_num_threads(threads);
        const test::Inputs all = test::with_gradients(op_case.run, op_case.inputs(dtype, 1));
        at::set_num_threads(before);
        return all;
      };
      const test::Inputs one = run(1), three = run(3);
      for (size_t i = 0; i < one.size(); ++i) {
        EXPECT_TRUE(same_bits(one[i], three[i])) << op_case.name << " " << dtype << " " << i;
      }
    }
  }
}

TEST(RoiAlign, GradientsInBfloat16AreRoundedOnce) {
  const RoiScene scene = roi_scene(6, at::kBFloat16);
  test::Inputs wide;
  for (const at::Tensor& map : scene.maps) wide.push_back(map.to(at::kDouble));
  const auto sums = [&](const test::Inputs& maps) {
    const test::Inputs start = test::leaves(maps);
    const at::Tensor result = align_by(isa(), scene, 14)(start);
    return test::gradients(result, start, at::ones_like(result));
  };
  const test::Inputs got = sums(scene.maps), wanted = sums(wide);
  for (size_t i = 0; i < got.size(); ++i) {
    const at::Tensor off = (got[i] - wanted[i]).abs();
    // One rounding to bfloat16 (2^-8 of the value), plus the rounding of sums in float32.
    EXPECT_LE((off - wanted[i].abs() * 0x1.02p-8).max().item<double>(),
              1e-5 * wanted[i].abs().max().item<double>());
  }
}

TEST(RoiAlign, NeitherBoxesInTheHalfTypeNorOtherOnesAreTaken) {
  const RoiScene scene = roi_scene(3, at::kBFloat16);
  const auto call = [&](const at::Tensor& boxes, const at::Tensor& image, const at::Tensor& level,
                        const std::vector<double>& scales) {
    return roi_align(scene.maps, boxes, image, level, scales, 7);
  };
  const at::Tensor &boxes = scene.boxes_R4, &image = scene.image_R, &level = scene.level_R;
  EXPECT_NO_THROW(call(boxes, image, level, scene.scales));
  EXPECT_THROW(call(boxes.to(at::kBFloat16), image, level, scene.scales), std::logic_error);
  EXPECT_THROW(call(boxes.to(at::kDouble), image, level, scene.scales), std::logic_error);
  EXPECT_THROW(call(boxes, image + 1, level, scene.scales), std::logic_error);
  EXPECT_THROW(call(boxes, image, level - 1, scene.scales), std::logic_error);
  EXPECT_THROW(call(boxes, image, level + 1, scene.scales), std::logic_error);
  EXPECT_THROW(call(boxes, image.to(at::kInt), level, scene.scales), std::logic_error);
  EXPECT_THROW(call(boxes, image, level, {.25}), std::logic_error);
  EXPECT_THROW(call(boxes.narrow(1, 0, 3), image, level, scene.scales), std::logic_error);
}

std::vector<int64_t> levels_of(const std::vector<float>& widths,
                               const std::vector<float>& heights) {
  std::vector<int64_t> levels;
  for (size_t i = 0; i < widths.size(); ++i) {
    const at::Tensor box = at::tensor({3.F, 2.F, 3.F + widths[i], 2.F + heights[i]}).view({1, 4});
    levels.push_back(pyramid_levels(box).item<int64_t>());
  }
  return levels;
}

TEST(PyramidLevels, TurnAtTwoHundredAndTwentyFour) {
  EXPECT_EQ(levels_of({224, 223.99F, 112, 111.9F, 448, 447.9F, 56, 1, 2000},
                      {224, 223.99F, 112, 111.9F, 448, 447.9F, 56, 1, 2000}),
            (std::vector<int64_t>{2, 1, 1, 0, 3, 2, 0, 0, 3}));
  // The level depends on the area. Empty, inverted or NaN boxes are assigned to the lowest level.
  EXPECT_EQ(levels_of({448, 10, 0, -5, std::nanf("")}, {112, 1000, 40, 40, 4}),
            (std::vector<int64_t>{2, 0, 0, 0, 0}));
  const at::Tensor large = at::tensor({0.F, 0.F, 900.F, 900.F}).view({1, 4});
  EXPECT_EQ(pyramid_levels(large, 3, 7).item<int64_t>(), 3);
  EXPECT_EQ(pyramid_levels(large, 2, 3).item<int64_t>(), 1);
}

}  // namespace
}  // namespace fcm::ops
