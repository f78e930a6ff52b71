#include "fcm/formats/crc32.h"

#include <libdeflate.h>

namespace fcm::formats {

uint32_t crc32(std::span<const std::byte> bytes) {
  return libdeflate_crc32(0, bytes.data() == nullptr ? "" : static_cast<const void*>(bytes.data()),
                          bytes.size());
}

}  // namespace fcm::formats
