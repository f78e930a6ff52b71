// Places the labels of boxes in an image without overlaps.
#pragma once

#include <cstdint>
#include <vector>

#include "fcm/image/image.h"
#include "fcm/viz/fitted.h"

namespace fcm::viz {

// Returns the rectangle of each box's label, in an image of size `image`; `labels` are the labels'
// sizes. A label is placed at its box: above, inside, below or beside it. If earlier labels cover
// all of these positions, the label goes to the nearest free position in the image, or, if there is
// none, to the tried position where it covers least of earlier labels. A label extends beyond the
// image only if it is larger than the image.
std::vector<image::Box> place_labels(const std::vector<image::Box>& boxes,
                                     const std::vector<FittedSize>& labels,
                                     const FittedSize& image);

}  // namespace fcm::viz
