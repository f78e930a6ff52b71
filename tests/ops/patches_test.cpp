#include "fcm/ops/patches.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace fcm::ops {
namespace {

using Places = std::vector<int64_t>;

Places iota(int64_t count) {
  Places places(static_cast<size_t>(count));
  std::iota(places.begin(), places.end(), 0);
  return places;
}

TEST(Patches, StagesOfTheBaseModel) {
  const PatchGeometry geometry{{4, 2, 2}};
  EXPECT_EQ(geometry.patch_side(), 16);
  EXPECT_EQ(geometry.cells(0).side, 4);
  EXPECT_EQ(geometry.cells(1).side, 2);
  EXPECT_EQ(geometry.cells(2).side, 1);
  EXPECT_EQ(geometry.cells(2).raster, (Places{0}));
  EXPECT_EQ(geometry.cells(1).raster, (Places{0, 1, 2, 3}));
  // Z order of 4 x 4 cells: four blocks of 2 x 2, and four cells within each, both in raster order.
  EXPECT_EQ(geometry.cells(0).raster,
            (Places{0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15}));
}

TEST(Patches, CellsThatTheNextStageMergesStandTogether) {
  for (const Places& strides : {Places{4, 2, 2}, Places{1, 3, 2}, Places{2, 2, 3, 2}}) {
    const PatchGeometry geometry{strides};
    for (int64_t stage = 0; stage + 1 < static_cast<int64_t>(strides.size()); ++stage) {
      const Cells fine = geometry.cells(stage), coarse = geometry.cells(stage + 1);
      const int64_t stride = strides[static_cast<size_t>(stage) + 1];
      ASSERT_EQ(fine.side, coarse.side * stride);
      for (int64_t place = 0; place < fine.count(); ++place) {
        const int64_t cell = fine.raster[static_cast<size_t>(place)];
        const int64_t parent = coarse.raster[static_cast<size_t>(place / (stride * stride))];
        EXPECT_EQ(cell / fine.side / stride, parent / coarse.side);
        EXPECT_EQ(cell % fine.side / stride, parent % coarse.side);
      }
    }
  }
}

TEST(Patches, OrdersArePermutations) {
  for (const Places& strides : {Places{4, 2, 2}, Places{16}, Places{2, 3}, Places{1, 2, 2}}) {
    const PatchGeometry geometry{strides};
    Places pixels = geometry.pixel_order();
    std::sort(pixels.begin(), pixels.end());
    EXPECT_EQ(pixels, iota(geometry.patch_side() * geometry.patch_side()));
    Places cells = geometry.cells(0).raster;
    std::sort(cells.begin(), cells.end());
    EXPECT_EQ(cells, iota(geometry.cells(0).count()));
  }
}

TEST(Patches, PixelsOfACellStandTogetherRowByRow) {
  const Places order = PatchGeometry{{2, 2}}.pixel_order();
  EXPECT_EQ(order, (Places{0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15}));
  EXPECT_EQ((PatchGeometry{{4}}.pixel_order()), iota(16));
}

}  // namespace
}  // namespace fcm::ops
