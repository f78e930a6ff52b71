// Distinguishable colours for classes.
#pragma once

#include <cstdint>
#include <vector>

#include "fcm/viz/font.h"

namespace fcm::viz {

// One colour per class. Each is perceptually as far as possible from the colours before it and from
// black, white and grey. A class's colour does not depend on the number of classes; the first
// colours are the furthest apart.
std::vector<Colour> class_colours(int64_t classes);

// Perceptual distance of two colours, in Oklab (Ottosson, "A perceptual color space for image
// processing", 2020). Black and white are 1 apart.
double colour_distance(Colour a, Colour b);

}  // namespace fcm::viz
