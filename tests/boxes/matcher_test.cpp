// Compares overlaps and matches with plain implementations.
#include "fcm/boxes/matcher.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "fcm/boxes/anchors.h"
#include "fcm/boxes/overlap.h"
#include "reference/detection_boxes.h"
#include "tests/boxes/random_boxes.h"
#include "tests/support/compare.h"

namespace fcm::boxes {
namespace {

using fcm::test::same_bits;

void expect_match(const Match& got, const Match& wanted) {
  EXPECT_TRUE(got.truth_N.equal(wanted.truth_N));
  EXPECT_TRUE(got.label_N.equal(wanted.label_N));
}

TEST(Overlaps, AreThePublishedOnesToTheBit) {
  const at::Tensor truths = test::real_boxes(1, 9, 200), boxes = test::real_boxes(2, 70, 200);
  EXPECT_TRUE(same_bits(overlaps(truths, boxes), reference::overlap_matrix(truths, boxes)));
  EXPECT_GT(overlaps(truths, boxes).gt(0).sum().item<int64_t>(), 50);
  // Negative control: boxes that include their last pixel (add one to the far corner).
  const at::Tensor one_pixel = at::tensor({0, 0, 1, 1}, at::kFloat);
  EXPECT_FALSE(same_bits(overlaps(truths + one_pixel, boxes + one_pixel),
                         reference::overlap_matrix(truths, boxes)));
  // More than 2^20 pairs, which are computed in several chunks.
  const at::Tensor many = test::real_boxes(3, 300000, 900);
  EXPECT_TRUE(same_bits(overlaps(truths, many), reference::overlap_matrix(truths, many)));
}

TEST(Overlaps, OfBoxesWithoutAreaAreZero) {
  const at::Tensor boxes = test::boxes_of(
      {{0.0, 0.0, 0.0, 0.0}, {3.0, 3.0, 3.0, 9.0}, {0.0, 0.0, 9.0, 9.0}, {9.0, 0.0, 12.0, 9.0}},
      at::kFloat);
  const at::Tensor all = overlaps(boxes, boxes);
  EXPECT_EQ(all.gt(0).sum().item<int64_t>(), 2);  // only the last two boxes, each with itself
  EXPECT_EQ(all[2][2].item<float>(), 1);
  EXPECT_EQ(overlaps(boxes.narrow(0, 0, 0), boxes).sizes(), (std::vector<int64_t>{0, 4}));
}

// Matches by their definition, computed truth by truth.
Match match_by_definition(const at::Tensor& truths, const at::Tensor& boxes,
                          const MatchOptions& options) {
  const at::Tensor all = reference::overlap_matrix(truths, boxes).to(at::kDouble);
  const auto of = [&](int64_t t, int64_t n) { return all[t][n].item<double>(); };
  const auto as_stored = [&](double threshold) {
    return truths.scalar_type() == at::kFloat ? static_cast<double>(static_cast<float>(threshold))
                                              : threshold;
  };
  std::vector<int64_t> truth, label;
  for (int64_t n = 0; n < boxes.size(0); ++n) {
    int64_t best = 0;
    for (int64_t t = 1; t < truths.size(0); ++t) best = of(t, n) > of(best, n) ? t : best;
    const double most = truths.size(0) > 0 ? of(best, n) : 0;
    truth.push_back(best);
    label.push_back(most >= as_stored(options.positive_from)    ? 1
                    : most >= as_stored(options.negative_below) ? -1
                                                                : 0);
  }
  for (int64_t t = 0; t < truths.size(0) && options.low_quality; ++t) {
    double most = 0;
    for (int64_t n = 0; n < boxes.size(0); ++n) most = std::max(most, of(t, n));
    for (int64_t n = 0; n < boxes.size(0); ++n) {
      if (of(t, n) == most) label[static_cast<size_t>(n)] = 1;
    }
  }
  return {at::tensor(at::ArrayRef<int64_t>(truth), at::kLong),
          at::tensor(at::ArrayRef<int64_t>(label), at::kLong).to(at::kChar)};
}

TEST(Matcher, IsThePublishedOneAlsoOnTies) {
  EXPECT_TRUE(rc::check([] {
    const auto seed = *rc::gen::arbitrary<uint64_t>();
    const auto truths = *rc::gen::inRange<int64_t>(0, 6);
    const auto count = *rc::gen::inRange<int64_t>(0, 40);
    const auto side = *rc::gen::inRange<int64_t>(1, 12);  // small, so that many boxes coincide
    const auto type = *rc::gen::element(at::kFloat, at::kDouble);
    const MatchOptions options = *rc::gen::element(kAnchorMatch, kRegionMatch);
    const at::Tensor of = test::whole_boxes(seed, truths, side, type);
    const at::Tensor boxes = test::whole_boxes(seed + 1, count, side, type);
    const Match got = match(of, boxes, options);
    const Match by_matrix = match_overlaps(overlaps(of, boxes), options);
    const reference::MatchedBoxes wanted =
        reference::matched_boxes(reference::overlap_matrix(of, boxes), options.negative_below,
                                 options.positive_from, options.low_quality);
    const Match defined = match_by_definition(of, boxes, options);
    RC_ASSERT(got.truth_N.equal(defined.truth_N));
    RC_ASSERT(got.label_N.equal(defined.label_N));
    RC_ASSERT(got.truth_N.equal(wanted.truth_N));
    RC_ASSERT(got.label_N.to(at::kLong).equal(wanted.label_N));
    RC_ASSERT(by_matrix.truth_N.equal(wanted.truth_N));
    RC_ASSERT(by_matrix.label_N.equal(got.label_N));
  }));
}

TEST(Matcher, NoticesTheMistakesThatAreEasilyMade) {
  const at::Tensor truths = test::whole_boxes(5, 6, 40), boxes = test::whole_boxes(6, 300, 40);
  const Match right = match(truths, boxes, kAnchorMatch);
  EXPECT_FALSE(match(truths, boxes, {0.3, 0.7, false}).label_N.equal(right.label_N));
  EXPECT_FALSE(match(truths, boxes, {0.3, 0.6, true}).label_N.equal(right.label_N));
  EXPECT_FALSE(match(truths, boxes + 0.5, kAnchorMatch).label_N.equal(right.label_N));
  const at::Tensor swapped = boxes.index_select(1, at::tensor({1, 0, 3, 2}, at::kLong));
  EXPECT_FALSE(match(truths, swapped, kAnchorMatch).label_N.equal(right.label_N));
}

// As upstream, every box that overlaps a truth as much as the truth's best box is positive. So a
// truth that no box overlaps (all overlaps are 0) makes all boxes positive.
TEST(Matcher, ATruthThatNothingOverlapsMakesPositivesOfAll) {
  const at::Tensor truths =
      test::boxes_of({{0.0, 0.0, 10.0, 10.0}, {500.0, 500.0, 500.0, 500.0}}, at::kFloat);
  const at::Tensor boxes = test::boxes_of(
      {{0.0, 0.0, 10.0, 9.0}, {0.0, 0.0, 10.0, 2.0}, {50.0, 50.0, 60.0, 60.0}}, at::kFloat);
  expect_match(match(truths, boxes, kAnchorMatch),
               {at::tensor({0, 0, 0}, at::kLong), at::tensor({1, 1, 1}, at::kChar)});
  expect_match(match(truths.narrow(0, 0, 1), boxes, kAnchorMatch),
               {at::tensor({0, 0, 0}, at::kLong), at::tensor({1, 0, 0}, at::kChar)});
}

TEST(Matcher, OfAWholeFrameDoesNotDependOnThreads) {
  const at::Tensor anchors =
      Anchors().of({{256, 256}, {128, 128}, {64, 64}, {32, 32}, {16, 16}}).boxes_A4;
  const at::Tensor truths = test::real_boxes(4, 11, 1000);
  const int before = at::get_num_threads();
  std::vector<Match> found;
  for (const int threads : {1, 2, 5}) {
    at::set_num_threads(threads);
    found.push_back(match(truths, anchors, kAnchorMatch));
  }
  at::set_num_threads(before);
  expect_match(found[1], found[0]);
  expect_match(found[2], found[0]);
  expect_match(match_overlaps(overlaps(truths, anchors), kAnchorMatch), found[0]);
  EXPECT_GT(found[0].label_N.eq(kPositive).sum().item<int64_t>(), 11);
}

}  // namespace
}  // namespace fcm::boxes
