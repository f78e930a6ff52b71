// Draws features of patches as colours: red, green and blue are their first three principal
// components. Plain arrays, no tensors.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "fcm/image/image.h"

namespace fcm::viz {

// The first three principal directions of features, and the range of projections on each of them.
struct Components {
  std::vector<float> mean_D;
  std::array<std::vector<float>, 3> axes_D;  // unit vectors; zero if there is no such direction
  std::array<float, 3> low{}, high{};        // range of the projections
};
Components principal_components(std::span<const float> values_LD, int64_t patches);

// Sets the range of each component to the quantiles `share` and 1 - `share` of the projections of
// `values_LD`, because with a few outliers in the range all other patches would have similar
// colours. `share` is from 0 to below 1/2.
void set_quantile_range(Components& components, std::span<const float> values_LD, double share);

// Draws projections as red, green and blue, scaled from `low` to `high`, as a square of side x side
// pixels per patch. Patches with shown_L 0 are grey; an empty shown_L shows all patches.
image::Image components_image(const Components& components, std::span<const float> values_LD,
                              std::span<const uint8_t> shown_L, int64_t rows, int64_t cols,
                              int64_t side);

// A feature target and its reconstruction, both coloured by the components of the target.
struct FeatureTiles {
  std::string name;
  image::Image wanted, predicted;
};

}  // namespace fcm::viz
