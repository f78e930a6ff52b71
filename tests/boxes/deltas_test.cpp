#include "fcm/boxes/deltas.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>

#include "reference/detection_boxes.h"
#include "tests/boxes/random_boxes.h"
#include "tests/support/gradcheck.h"

namespace fcm::boxes {
namespace {

constexpr reference::FourWeights kPlainRegion{10, 10, 5, 5};

TEST(Deltas, AreThePublishedOnes) {
  const at::Tensor sources = test::real_boxes(1, 50, 300), targets = test::real_boxes(2, 50, 300);
  EXPECT_EQ(fcm::test::compare(encode(sources, targets, kRegionDeltas),
                               reference::deltas_between(sources, targets, kPlainRegion), 1e-6)
                .description,
            "");
  const at::Tensor deltas = fcm::test::fixed_normal({50, 12}, 3) * 4;
  const at::Tensor wide = decode(deltas, sources, kRegionDeltas);
  EXPECT_EQ(wide.scalar_type(), at::kDouble);
  EXPECT_EQ(
      fcm::test::compare(
          wide, reference::boxes_at_deltas(deltas, sources.to(at::kDouble), kPlainRegion), 1e-13)
          .description,
      "");
  // Negative control: with class and coordinate transposed, the decoded boxes differ.
  const at::Tensor mixed = deltas.view({50, 3, 4}).transpose(1, 2).reshape({50, 12});
  EXPECT_NE(fcm::test::compare(decode(mixed, sources, kRegionDeltas), wide, 1e-2).description, "");
}

TEST(Deltas, LeadToTheTargetAndBack) {
  EXPECT_TRUE(rc::check([] {
    const auto seed = *rc::gen::arbitrary<uint64_t>();
    const DeltaWeights weights = *rc::gen::element(kAnchorDeltas, kRegionDeltas);
    const at::Tensor sources = test::real_boxes(seed, 20, 500, at::kDouble);
    const at::Tensor targets = test::real_boxes(seed + 1, 20, 500, at::kDouble);
    const at::Tensor deltas = encode(sources, targets, weights);
    const at::Tensor growth = deltas.narrow(1, 2, 2).abs().max() / weights.width;
    RC_PRE(growth.item<double>() < std::log(1000.0 / 16));
    RC_ASSERT(fcm::test::compare(decode(deltas, sources, weights), targets, 1e-12).description ==
              "");
  }));
}

TEST(Deltas, GrowthIsHeldWithTheWeightsTakenOff) {
  const at::Tensor source = test::boxes_of({{0.0, 0.0, 16.0, 16.0}}, at::kDouble);
  const at::Tensor far = test::boxes_of({{0.0, 0.0, 100.0, -100.0}}, at::kDouble);
  for (const DeltaWeights& weights : {kAnchorDeltas, kRegionDeltas}) {
    const at::Tensor box = decode(far, source, weights)[0];
    EXPECT_NEAR((box[2] - box[0]).item<double>(), 1000, 1e-9);  // growth is limited to 1000 / 16
    EXPECT_LT((box[3] - box[1]).item<double>(), 1e-6);          // shrinking is not limited
  }
}

TEST(Deltas, AreInFloat32WhateverTheTypeOfTheNetwork) {
  const at::Tensor sources = test::real_boxes(1, 8, 1000);
  const at::Tensor deltas = fcm::test::fixed_normal({8, 4}, 2).to(at::kBFloat16);
  const at::Tensor boxes = decode(deltas, sources, kAnchorDeltas);
  EXPECT_EQ(boxes.scalar_type(), at::kFloat);
  EXPECT_TRUE(boxes.equal(decode(deltas.to(at::kFloat), sources, kAnchorDeltas)));
  EXPECT_THROW(decode(deltas.narrow(1, 0, 3), sources, kAnchorDeltas), std::logic_error);
}

TEST(Clipped, HoldsColumnsAndRowsApart) {
  const at::Tensor boxes =
      test::boxes_of({{-3.0, -4.0, 99.0, 98.0}, {5.0, 60.0, 6.0, 7.0}}, at::kFloat);
  EXPECT_TRUE(
      clipped(boxes, /*rows=*/50, /*columns=*/80)
          .equal(test::boxes_of({{0.0, 0.0, 80.0, 50.0}, {5.0, 50.0, 6.0, 7.0}}, at::kFloat)));
}

}  // namespace
}  // namespace fcm::boxes
