#pragma once

#include <cstddef>
#include <string_view>

namespace fcm {

// Whether weight decay applies to a parameter: timm's rule (add_weight_decay), neither 1-D nor a
// bias. `name` and number of dimensions are the published ones.
inline bool has_weight_decay(std::string_view name, size_t dimensions) {
  return dimensions > 1 && !name.ends_with(".bias");
}

}  // namespace fcm
