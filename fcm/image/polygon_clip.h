// The part of a polygon that lies in a rectangle.
#pragma once

#include <array>
#include <span>
#include <vector>

namespace fcm::image {

// Outlines of the area that `xy` (x and y of each point in turn) and the rectangle x0, y0, x1, y1
// share: none, one, or several where the rectangle parts it. True clipping of areas: no part has an
// edge that another goes back along, so that the box around the points is the box around the area.
// Points at which an outline turns back on itself are removed, also where nothing is clipped; parts
// without area vanish. Of an outline that crosses itself the parts may be joined by such edges.
// Points must be finite.
std::vector<std::vector<double>> clip_polygon(std::span<const double> xy,
                                              const std::array<double, 4>& window);

}  // namespace fcm::image
