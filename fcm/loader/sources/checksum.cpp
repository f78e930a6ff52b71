#include "fcm/loader/sources/checksum.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace fcm::loader {

uint64_t checksum(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

}  // namespace fcm::loader
