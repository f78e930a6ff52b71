// Counts with their nouns.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace fcm {

// Which of the two goes with so many: "class" with 1, "classes" with any other number.
std::string_view noun(int64_t count, std::string_view one, std::string_view many);

// "1 class", "2 classes".
std::string counted(int64_t count, std::string_view one, std::string_view many);

}  // namespace fcm
