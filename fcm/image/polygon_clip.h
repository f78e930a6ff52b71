// Clips a polygon to a rectangle.
#pragma once

#include <array>
#include <span>
#include <vector>

namespace fcm::image {

// Outlines of the intersection of the polygon `xy` (alternating x and y) with the rectangle x0, y0,
// x1, y1: none, one, or several if the rectangle splits it. Areas are clipped exactly: no part has
// zero-width bridges, so the bounding box of the points is that of the area. Points at which an
// outline turns back on itself are removed even if nothing is clipped; parts without area vanish.
// If the outline crosses itself, parts may be joined by zero-width edges. Points must be finite.
std::vector<std::vector<double>> clip_polygon(std::span<const double> xy,
                                              const std::array<double, 4>& window);

}  // namespace fcm::image
