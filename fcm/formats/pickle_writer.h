// Writes a tree of values as a pickle that `torch.load(weights_only=True)` reads. Private to this
// folder.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "fcm/formats/tensor_file.h"
#include "fcm/formats/value.h"

namespace fcm::formats {

struct PickledObject {
  std::string pickle;                                // protocol 2
  std::vector<std::span<const std::byte>> storages;  // storage i has the key "i"
};

// Tensors of one type whose views are the same memory share a storage. Throws Error(kCheckpoint)
// for values that weights_only=True or read_pth would refuse, and for tensors whose size does not
// match shape and type.
PickledObject to_pickle(const Value& root, std::span<const TensorView> tensors,
                        const std::string& file);

}  // namespace fcm::formats
