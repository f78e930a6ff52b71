// Training targets of a mask head for an object in a box. Source: detectron2's structures/masks.py,
// rasterize_polygons_within_box and BitMasks.crop_and_resize.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "fcm/image/run_lengths.h"

namespace fcm::image {

// side x side bytes of 0 and 1, row-major: the union of an object's polygons (alternating x and y),
// shifted so that the box's corner is the origin, scaled by side / max(width, .1) and side /
// max(height, .1) in float64, and rasterised by COCO's rule. `box` is x0, y0, x1, y1. Throws
// Error(kData) as raster_polygon does.
std::vector<uint8_t> mask_target(std::span<const std::vector<double>> outlines,
                                 const std::array<float, 4>& box, int64_t side);

// The same from a mask of the whole image: 1 where the mean over a bin, sampled as in ROIAlign
// (aligned, as many samples as the bin has pixels), is at least one half. Cost: the runs and
// columns within the box, times the bins of a column.
std::vector<uint8_t> mask_target(const RunLengths& mask, const std::array<float, 4>& box,
                                 int64_t side);

}  // namespace fcm::image
