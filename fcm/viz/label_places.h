// Where the labels of boxes stand in an image, so that they do not cover each other.
#pragma once

#include <cstdint>
#include <vector>

#include "fcm/image/image.h"
#include "fcm/viz/fitted.h"

namespace fcm::viz {

// One place a box, in pixels of an image of that size, `labels` being their sizes. A label stands
// at its box: over it, inside it, under it or beside it; where all of that is taken by labels
// before it, at the nearest place in the image that is free; where none is, where it covers least
// of them. It leaves the image only where it is larger.
std::vector<image::Box> place_labels(const std::vector<image::Box>& boxes,
                                     const std::vector<FittedSize>& labels,
                                     const FittedSize& picture);

}  // namespace fcm::viz
