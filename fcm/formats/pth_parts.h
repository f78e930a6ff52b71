// What the zip and the legacy container hold: the pickle's graph and the bytes of its storages.
// Private to this folder.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "fcm/formats/pickle_graph.h"

namespace fcm::formats {

struct PthParts {
  PickleGraph graph;
  std::vector<std::span<const std::byte>> storages;  // of graph.storages, with checked sizes
};

// Elements times bytes per element. Throws Error(kCheckpoint) if that overflows 64 bits.
uint64_t storage_bytes(const PickledStorage& storage, const std::string& file);

}  // namespace fcm::formats
