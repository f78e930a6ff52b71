// Tensors that are views of a storage. Private to this folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace fcm::formats {

struct StridedView {
  int64_t offset = 0;  // elements, as the strides
  std::vector<int64_t> sizes, strides;
};

struct StridedExtent {
  uint64_t elements = 0;
  bool contiguous = false;  // rows follow each other: the bytes from `offset` on are the tensor
};

// Whether every element lies inside a storage of that many elements, with 64-bit arithmetic that is
// checked for overflow. Throws Error(kCheckpoint), which names `what`.
StridedExtent check_strided(const StridedView& view, uint64_t storage_elements,
                            const std::string& what);

// Copies the elements of a checked view, row by row, to `target` (elements times element_bytes).
void copy_strided(const StridedView& view, std::span<const std::byte> storage, size_t element_bytes,
                  std::span<std::byte> target);

}  // namespace fcm::formats
