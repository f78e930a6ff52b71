#pragma once

#include <cstddef>
#include <string_view>

#include "fcm/base/relative_table.h"

namespace fcm {

// Whether weight decay applies to a parameter. `name` and `dimensions` are the upstream ones;
// `no_decay` is the recipe's optim.no_decay. "vectors" is timm's rule (add_weight_decay): no decay
// for 1-D parameters and biases. "vectors_tokens" also excludes the mask token, and
// "vectors_tokens_tables" also excludes relative position bias tables.
inline bool has_weight_decay(std::string_view name, size_t dimensions,
                             std::string_view no_decay = "vectors") {
  if (dimensions <= 1 || name.ends_with(".bias")) return false;
  if (name == "mask_token") return no_decay == "vectors";
  const bool table = name.ends_with(kRelativeTable);
  return !table || no_decay != "vectors_tokens_tables";
}

}  // namespace fcm
