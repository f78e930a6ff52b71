// A count with its noun in singular or plural.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace fcm {

// `one` if the count is 1, else `many`: "class" or "classes".
std::string_view noun(int64_t count, std::string_view one, std::string_view many);

// "1 class", "2 classes".
std::string counted(int64_t count, std::string_view one, std::string_view many);

}  // namespace fcm
