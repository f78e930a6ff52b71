// The container of PyTorch before 1.6: five pickles (magic number, protocol version, system
// information, the saved object, storage keys), then the storages. Private to this folder.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "fcm/formats/pth_parts.h"

namespace fcm::formats {

bool begins_as_legacy(std::span<const std::byte> bytes);

// Throws Error(kCheckpoint).
PthParts parse_legacy(std::span<const std::byte> bytes, const std::string& file);

}  // namespace fcm::formats
