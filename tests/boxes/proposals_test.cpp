// Compares proposals and detections with plain implementations.
#include "fcm/boxes/proposals.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <limits>

#include "fcm/boxes/deltas.h"
#include "fcm/boxes/detections.h"
#include "reference/detection_boxes.h"
#include "tests/boxes/random_boxes.h"
#include "tests/support/gradcheck.h"

namespace fcm::boxes {
namespace {

using fcm::test::same_bits;

constexpr int64_t kRows = 30, kColumns = 40;

// Three levels of boxes, some of which extend beyond the image, coincide, are empty or inverted.
// Logits have few distinct values, so that many are equal.
struct Levels {
  std::vector<at::Tensor> boxes, logits;

  explicit Levels(uint64_t seed) {
    for (const int64_t count : {30, 12, 5}) {
      at::Tensor of_level = test::whole_boxes(++seed, count, 44) - 3;
      of_level[1][2] = of_level[1][0].item<float>();      // no width
      of_level[2][3] = of_level[2][1].item<float>() - 2;  // inverted
      boxes.push_back(of_level);
      logits.push_back((fcm::test::fixed_normal({count}, seed) * 2).round().to(at::kFloat));
    }
  }
};

TEST(Proposals, AreThePublishedOnes) {
  EXPECT_TRUE(rc::check([] {
    const Levels levels(*rc::gen::inRange<uint64_t>(0, 1000000));
    const auto per_level = *rc::gen::inRange<int64_t>(1, 40);
    const auto kept = *rc::gen::inRange<int64_t>(1, 50);
    const auto got =
        propose_boxes(levels.logits, levels.boxes, kRows, kColumns, {per_level, kept, 0.7});
    const auto wanted = reference::top_proposals(levels.boxes, levels.logits, kRows, kColumns,
                                                 per_level, kept, 0.7);
    RC_ASSERT(same_bits(got.boxes_P4, wanted.boxes_P4));
    RC_ASSERT(same_bits(got.logits_P, wanted.logits_P));
    RC_ASSERT(got.non_finite_count == 0);
  }));
}

TEST(Proposals, AreThoseOfDecodedAnchors) {
  const std::vector<MapSize> maps{{4, 5}, {2, 3}, {1, 2}, {1, 1}, {1, 1}};
  const FrameAnchors anchors = Anchors().of(maps);
  std::vector<at::Tensor> logits, deltas, boxes;
  for (size_t level = 0; level < maps.size(); ++level) {
    const int64_t first = anchors.first_of_level[level],
                  count = anchors.first_of_level[level + 1] - first;
    logits.push_back(fcm::test::fixed_normal({count}, level).to(at::kFloat).requires_grad_(true));
    deltas.push_back(fcm::test::fixed_normal({count, 4}, 10 + level).to(at::kFloat));
    boxes.push_back(decode(deltas.back(), anchors.boxes_A4.narrow(0, first, count), kAnchorDeltas));
  }
  const ProposalOptions options{20, 25, 0.7};
  const Proposals got = propose(logits, deltas, anchors, kRows, kColumns, options);
  const Proposals wanted = propose_boxes(logits, boxes, kRows, kColumns, options);
  EXPECT_TRUE(same_bits(got.boxes_P4, wanted.boxes_P4));
  EXPECT_TRUE(same_bits(got.logits_P, wanted.logits_P));
  EXPECT_GT(got.boxes_P4.size(0), 5);
  EXPECT_FALSE(got.logits_P.requires_grad());
  deltas.pop_back();
  EXPECT_THROW(propose(logits, deltas, anchors, kRows, kColumns, options), std::logic_error);
}

TEST(Proposals, CountAndDropWhatIsNotFinite) {
  Levels levels(7);
  const Proposals whole = propose_boxes(levels.logits, levels.boxes, kRows, kColumns, {});
  EXPECT_EQ(whole.non_finite_count, 0);
  levels.boxes[0][4][1] = std::numeric_limits<float>::quiet_NaN();
  levels.logits[1][3] = std::numeric_limits<float>::infinity();
  levels.logits[2][0] = std::numeric_limits<float>::quiet_NaN();
  const Proposals got = propose_boxes(levels.logits, levels.boxes, kRows, kColumns, {});
  EXPECT_EQ(got.non_finite_count, 3);
  EXPECT_TRUE(got.boxes_P4.isfinite().all().item<bool>());
  EXPECT_TRUE(got.logits_P.isfinite().all().item<bool>());
  EXPECT_FALSE(same_bits(got.logits_P, whole.logits_P));
}

TEST(Proposals, MayBeNone) {
  const at::Tensor outside = test::boxes_of({{90.0, 3.0, 95.0, 9.0}}, at::kFloat);
  const Proposals none = propose_boxes({at::ones({1})}, {outside}, kRows, kColumns, {});
  EXPECT_EQ(none.boxes_P4.sizes(), (std::vector<int64_t>{0, 4}));
  EXPECT_EQ(none.logits_P.numel(), 0);
}

struct Scored {
  at::Tensor probabilities, deltas, regions, boxes;

  // Probabilities have few distinct values, so that many are equal.
  explicit Scored(uint64_t seed, int64_t count = 14, int64_t classes = 3) {
    const at::Tensor logits = (fcm::test::fixed_normal({count, classes + 1}, seed) * 2).round();
    probabilities = logits.softmax(1).to(at::kFloat);
    regions = test::whole_boxes(seed, count, 36);
    deltas = fcm::test::fixed_normal({count, 4 * classes}, seed + 1).to(at::kFloat);
    boxes = decode(deltas, regions, kRegionDeltas);
  }
};

TEST(Detections, AreThePublishedOnes) {
  EXPECT_TRUE(rc::check([] {
    const Scored scored(*rc::gen::inRange<uint64_t>(0, 1000000), *rc::gen::inRange<int64_t>(0, 15),
                        *rc::gen::inRange<int64_t>(1, 5));
    const auto most = *rc::gen::inRange<int64_t>(1, 30);
    const auto wanted = reference::box_inference(scored.boxes, scored.probabilities, kRows,
                                                 kColumns, 0.05, 0.5, most);
    for (const Detections& got :
         {detect(scored.probabilities, scored.deltas, scored.regions, kRows, kColumns,
                 {0.05, 0.5, most}),
          detect_boxes(scored.probabilities, scored.boxes, kRows, kColumns, {0.05, 0.5, most})}) {
      RC_ASSERT(same_bits(got.boxes_D4, wanted.boxes_D4));
      RC_ASSERT(same_bits(got.scores_D, wanted.scores_D));
      RC_ASSERT(got.classes_D.equal(wanted.classes_D));
      RC_ASSERT(got.region_D.equal(wanted.region_D));
    }
  }));
}

TEST(Detections, OfARegionThatIsNotFiniteAreNone) {
  Scored scored(3);
  const auto found = [&] {
    return detect(scored.probabilities, scored.deltas, scored.regions, kRows, kColumns);
  };
  const int64_t first = found().region_D[0].item<int64_t>();
  scored.deltas[first][0] = std::numeric_limits<float>::quiet_NaN();
  const Detections got = found();
  EXPECT_GT(got.region_D.numel(), 0);
  EXPECT_FALSE(got.region_D.eq(first).any().item<bool>());
  EXPECT_TRUE(got.boxes_D4.isfinite().all().item<bool>());
}

TEST(Detections, NoticeBoxesOfAnotherClass) {
  const Scored scored(3);
  const at::Tensor mixed = scored.deltas.view({-1, 3, 4}).flip(1).reshape(scored.deltas.sizes());
  const Detections right =
      detect(scored.probabilities, scored.deltas, scored.regions, kRows, kColumns);
  const Detections wrong = detect(scored.probabilities, mixed, scored.regions, kRows, kColumns);
  EXPECT_FALSE(same_bits(right.boxes_D4, wrong.boxes_D4));
}

}  // namespace
}  // namespace fcm::boxes
