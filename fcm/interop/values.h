// Builds trees of Python values for files to write. Private to this folder. Links no LibTorch.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fcm/formats/value.h"

namespace fcm::interop {

inline formats::Value text_of(std::string_view content) { return {std::string(content)}; }

// `ordered`: a collections.OrderedDict, as state_dicts are.
inline formats::Value dict_of(std::vector<std::pair<std::string_view, formats::Value>> entries,
                              bool ordered = false) {
  formats::Value::Dict result;
  result.ordered = ordered;
  for (auto& [key, value] : entries) result.items.push_back({text_of(key), std::move(value)});
  return {std::move(result)};
}

}  // namespace fcm::interop
