#include "fcm/base/counted.h"

#include <fmt/format.h>

namespace fcm {

std::string_view noun(int64_t count, std::string_view one, std::string_view many) {
  return count == 1 ? one : many;
}

std::string counted(int64_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", count, noun(count, one, many));
}

}  // namespace fcm
