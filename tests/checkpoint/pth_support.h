// What the tests of .pth files share: stored files, expectations, archives and pickles made by
// hand.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fcm/checkpoint/pth.h"
#include "fcm/checkpoint/safetensors.h"
#include "tests/checkpoint/support.h"

namespace fcm::checkpoint {

inline fs::path stored_files() { return fs::path(FCM_SOURCE_DIR) / "../shared/fixtures"; }

inline std::vector<std::byte> bytes_of_file(const fs::path& path) {
  return bytes_of_text(read_file(path, ExitCode::kCheckpoint));
}

// Little-endian bytes of a number.
template <typename T>
std::string le(T value) {
  std::string text(sizeof(T), '\0');
  std::memcpy(text.data(), &value, sizeof(T));
  return text;
}

}  // namespace fcm::checkpoint
