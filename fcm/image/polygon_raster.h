// Polygons to masks, by COCO's rule (cocodataset/cocoapi, common/maskApi.c, rleFrPoly). It is a
// rule of its own, on a grid of fifths of a pixel: another raster differs in pixels at the edge.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "fcm/image/run_lengths.h"

namespace fcm::image {

// The pixels of a polygon x0, y0, x1, y1, ... in pixels of a picture of rows x cols, which it may
// leave; it is closed from its last point to its first, and where it crosses itself twice is none.
// Any number of points is taken; fewer than three have no pixels. Error(kData) where the numbers
// are odd in number, or one is not finite or beyond 4e8 either way, where the published program's
// integers end. Work: points times the columns that their edges cross, times the logarithm of an
// edge's length. Memory: at most 16 bytes a pixel, or half a megabyte.
RunLengths raster_polygon(std::span<const double> xy, int64_t rows, int64_t cols);

// An object of several parts (one at least): what belongs to any of them.
RunLengths raster_polygons(std::span<const std::vector<double>> parts, int64_t rows, int64_t cols);

}  // namespace fcm::image
