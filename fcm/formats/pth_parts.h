// What both containers come down to. Private to this folder.
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
  std::vector<std::span<const std::byte>> storages;  // as graph.storages; sizes were compared
};

// Elements times the bytes of the type. Throws Error(kCheckpoint) where 64 bits do not hold it.
uint64_t storage_bytes(const PickledStorage& storage, const std::string& file);

}  // namespace fcm::formats
