// Rasterises polygons by COCO's rule (cocodataset/cocoapi, common/maskApi.c, rleFrPoly), on a grid
// of fifths of a pixel. Other rules give other pixels at the edge.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "fcm/image/run_lengths.h"

namespace fcm::image {

// The mask of the closed polygon x0, y0, x1, y1, ... (in pixels) in an image of rows x cols; points
// may lie outside. Areas that it covers twice are not set (even-odd rule). Fewer than three points
// give no pixels. Error(kData) if the count of numbers is odd, or if a number is not finite or
// beyond +-4e8, where upstream's integers overflow. Cost: for each edge, the columns it crosses
// times the logarithm of its length. Memory: at most 16 bytes a pixel, or half a megabyte.
RunLengths raster_polygon(std::span<const double> xy, int64_t rows, int64_t cols);

// The union of an object's parts; at least one.
RunLengths raster_polygons(std::span<const std::vector<double>> parts, int64_t rows, int64_t cols);

}  // namespace fcm::image
