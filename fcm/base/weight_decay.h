#pragma once

#include <cstddef>
#include <string_view>

#include "fcm/base/relative_table.h"

namespace fcm {

// Whether weight decay applies to a parameter: timm's rule (add_weight_decay), neither 1-D nor a
// bias. `name` and number of dimensions are the published ones. no_decay, as optim.no_decay has it:
// "vectors" is that rule; "vectors_tokens" leaves out mask tokens too, "vectors_tokens_tables" also
// tables of relative positions.
inline bool has_weight_decay(std::string_view name, size_t dimensions,
                             std::string_view no_decay = "vectors") {
  if (dimensions <= 1 || name.ends_with(".bias")) return false;
  if (name == "mask_token") return no_decay == "vectors";
  const bool table = name.ends_with(kRelativeTable);
  return !table || no_decay != "vectors_tokens_tables";
}

}  // namespace fcm
