// Tensors as strided views of a storage. Private to this folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace fcm::formats {

struct StridedView {
  int64_t offset = 0;  // in elements, like the strides
  std::vector<int64_t> sizes, strides;
};

struct StridedExtent {
  uint64_t elements = 0;
  bool contiguous = false;  // row-major without gaps, from `offset` on
};

// Checks that every element lies inside a storage of `storage_elements`, with overflow-checked
// 64-bit arithmetic. Throws Error(kCheckpoint), which names `what`.
StridedExtent check_strided(const StridedView& view, uint64_t storage_elements,
                            const std::string& what);

// Copies the elements of a checked view in row-major order to `target` (elements times
// element_bytes bytes).
void copy_strided(const StridedView& view, std::span<const std::byte> storage, size_t element_bytes,
                  std::span<std::byte> target);

}  // namespace fcm::formats
