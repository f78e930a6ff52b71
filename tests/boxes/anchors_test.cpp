#include "fcm/boxes/anchors.h"

#include <gtest/gtest.h>

#include "reference/detection_boxes.h"
#include "tests/support/compare.h"

namespace fcm::boxes {
namespace {

using fcm::test::same_bits;

const std::vector<MapSize> kFrame{{6, 8}, {3, 4}, {2, 2}, {1, 1}, {1, 1}};

at::Tensor plain_anchors(const std::vector<MapSize>& maps) {
  std::vector<at::Tensor> levels;
  int64_t stride = 4;
  double side = 32;
  for (const MapSize& map : maps) {
    levels.push_back(reference::anchors_of_map(map.first, map.second, stride, side));
    stride *= 2;
    side *= 2;
  }
  return at::cat(levels);
}

TEST(Anchors, AreThePublishedOnes) {
  const FrameAnchors frame = Anchors().of(kFrame);
  EXPECT_TRUE(same_bits(frame.boxes_A4, plain_anchors(kFrame)));
  EXPECT_EQ(frame.first_of_level, (std::vector<int64_t>{0, 144, 180, 192, 195, 198}));
  // The third anchor at position (0, 0) is twice as high as wide, has 32^2 pixels, and its centre
  // is the corner of the image.
  const at::Tensor third = frame.boxes_A4[2].to(at::kDouble);
  EXPECT_NEAR((third[3] - third[1]).item<double>(), 2 * (third[2] - third[0]).item<double>(), 1e-5);
  EXPECT_NEAR(((third[3] - third[1]) * (third[2] - third[0])).item<double>(), 1024, 1e-3);
  EXPECT_EQ((third[0] + third[2]).item<double>(), 0);
  // The next position in the row is one stride to the right, without a half-pixel offset.
  EXPECT_TRUE(
      same_bits(frame.boxes_A4[4] - frame.boxes_A4[1], at::tensor({4, 0, 4, 0}, at::kFloat)));
}

TEST(Anchors, OfTheTrainedFrameAre261888) {
  const Anchors anchors;
  const std::vector<MapSize> maps{{256, 256}, {128, 128}, {64, 64}, {32, 32}, {16, 16}};
  const FrameAnchors frame = anchors.of(maps);
  EXPECT_EQ(frame.boxes_A4.size(0), 261888);
  EXPECT_TRUE(anchors.of(maps).boxes_A4.is_same(frame.boxes_A4));  // from the cache
}

TEST(Anchors, OfOtherSizesAreTheirOwn) {
  const Anchors anchors;
  for (int64_t rows = 1; rows < 12; ++rows) {  // more sizes than the cache keeps
    const std::vector<MapSize> maps{{rows, 3}, {1, 2}, {1, 1}, {1, 1}, {1, 1}};
    EXPECT_TRUE(same_bits(anchors.of(maps).boxes_A4, plain_anchors(maps)));
  }
  EXPECT_TRUE(same_bits(anchors.of(kFrame).boxes_A4, plain_anchors(kFrame)));
  EXPECT_THROW(anchors.of({{1, 1}}), std::logic_error);
}

}  // namespace
}  // namespace fcm::boxes
