#pragma once

#include <cstdint>
#include <string_view>

namespace fcm::loader {

// XXH3-64: detects damage, not forgery. Some 10 GB/s.
uint64_t checksum(std::string_view bytes);

}  // namespace fcm::loader
