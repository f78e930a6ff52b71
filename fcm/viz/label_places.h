// Where the labels of boxes stand in a picture, so that they do not cover each other.
#pragma once

#include <cstdint>
#include <vector>

#include "fcm/image/image.h"
#include "fcm/viz/fitted.h"

namespace fcm::viz {

// One place a box, in pixels of a picture of that size, `labels` being their sizes. A label stands
// at its box: over it, inside it, under it or beside it; where all of that is taken by labels
// before it, at the nearest place in the picture that is free; where none is, where it covers least
// of them. It leaves the picture only where it is larger.
std::vector<image::Box> place_labels(const std::vector<image::Box>& boxes,
                                     const std::vector<FittedSize>& labels,
                                     const FittedSize& picture);

}  // namespace fcm::viz
