// What a mask head learns of an object within a box: detectron2's structures/masks.py,
// rasterize_polygons_within_box and BitMasks.crop_and_resize.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "fcm/image/run_lengths.h"

namespace fcm::image {

// side x side bytes of 0 and 1, row by row: the parts of an outline (x and y of each point in
// turn), moved by the box's corner and stretched by side / max(width, .1) and side / max(height,
// .1) in float64, rastered by COCO's rule and united. `box` is x0, y0, x1, y1. Error(kData) as
// raster_polygon.
std::vector<uint8_t> mask_target(std::span<const std::vector<double>> outlines,
                                 const std::array<float, 4>& box, int64_t side);

// The same of a mask of the whole picture: the mean over each of side x side bins, sampled as
// ROIAlign does (aligned, as many samples as a bin has pixels), is half or more. Work: runs and
// columns within the box, times the bins of a column.
std::vector<uint8_t> mask_target(const RunLengths& mask, const std::array<float, 4>& box,
                                 int64_t side);

}  // namespace fcm::image
