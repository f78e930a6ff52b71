// How a patch is cut into cells, and in which order cells and pixels are stored.
//
// A patch of side s1*s2*s3 pixels is split stage by stage: at stage 3 it is one token, at stage 2
// it has s3 x s3 cells, at stage 1 (s2*s3) x (s2*s3) cells of s1 x s1 pixels. Cells that the next
// stage merges are stored next to each other (Z order for strides [.,2,2]), so every strided
// convolution after the first is a matrix product on a contiguous view.
#pragma once

#include <cstdint>
#include <vector>

namespace fcm::ops {

// The cells of one patch at one stage.
struct Cells {
  int64_t side = 1;             // cells per row and column of the patch
  std::vector<int64_t> raster;  // stored index -> row * side + col
  int64_t count() const { return side * side; }
};

// Strides of the stages, first to last: {4, 2, 2}; {16} for a plain ViT.
struct PatchGeometry {
  std::vector<int64_t> strides;

  int64_t patch_side() const;        // pixels
  Cells cells(int64_t stage) const;  // stage 0 is the first; the last stage has one cell
  // Stored order of the pixels of a patch: index -> row * patch_side + col. Cells in stored order;
  // the pixels of a cell row by row.
  std::vector<int64_t> pixel_order() const;
};

}  // namespace fcm::ops
