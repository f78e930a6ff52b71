// Features of patches as colours: their first three principal components. Plain arrays, no tensors.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "fcm/image/image.h"

namespace fcm::viz {

// Three directions along which features of patches differ most, and how far they reach.
struct Components {
  std::vector<float> mean_D;
  std::array<std::vector<float>, 3> axes_D;  // of length 1; zero where there is no such direction
  std::array<float, 3> low{}, high{};        // of the projections
};
Components principal_components(std::span<const float> values_LD, int64_t patches);

// Has the range of each component leave out a share of the projections of `values_LD` at either
// end, of 0 to 1/2: a few patches that stand out would leave the others one colour.
void leave_out_ends(Components& components, std::span<const float> values_LD, double share);

// Projections as red, green and blue, from `low` to `high`, one patch a square of side x side
// pixels. Patches for which shown_L is 0 are grey; an empty shown_L shows all.
image::Image components_picture(const Components& components, std::span<const float> values_LD,
                                std::span<const uint8_t> shown_L, int64_t rows, int64_t cols,
                                int64_t side);

// A target beside what was made of it, by the components of the target.
struct FeatureTiles {
  std::string name;
  image::Image wanted, guessed;
};

}  // namespace fcm::viz
