#pragma once

#include <cstdint>
#include <string_view>

namespace fcm::loader {

// XXH3-64, at some 10 GB/s. Detects damage, but not deliberate changes.
uint64_t checksum(std::string_view bytes);

}  // namespace fcm::loader
