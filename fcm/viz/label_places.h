// Placement of box labels in an image without overlaps.
#pragma once

#include <cstdint>
#include <vector>

#include "fcm/image/image.h"
#include "fcm/viz/fitted.h"

namespace fcm::viz {

// One position per box, in an image of size `image`; `labels` are the labels' sizes. A label is
// placed at its box: above, inside, below or beside it. If earlier labels take all of these, it
// goes to the nearest free position in the image; if there is none, to where it covers least of
// them. It extends beyond the image only if it is larger.
std::vector<image::Box> place_labels(const std::vector<image::Box>& boxes,
                                     const std::vector<FittedSize>& labels,
                                     const FittedSize& image);

}  // namespace fcm::viz
