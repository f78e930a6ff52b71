// Colours by which classes can be told apart.
#pragma once

#include <cstdint>
#include <vector>

#include "fcm/viz/font.h"

namespace fcm::viz {

// One colour a class, each as far as possible from those before it as the eye sees distances, and
// from black, white and grey. The colour of a class does not depend on how many there are, and the
// first ones are the furthest apart.
std::vector<Colour> class_colours(int64_t classes);

// How different two colours look: their distance in Oklab (Ottosson, "A perceptual color space for
// image processing", 2020), where black and white are 1 apart.
double colour_distance(Colour a, Colour b);

}  // namespace fcm::viz
