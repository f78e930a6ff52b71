// Reads files, plain or gzipped, whose header announces the size.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace fcm::loader {

// `total_size` computes the (unpacked) size of the whole file from its first `head` bytes, and the
// file must have exactly that size. A file whose name ends in .gz is unpacked, never into more
// memory than that; a size that the packed file cannot hold is refused before memory is allocated.
// Throws Error(kData).
std::vector<uint8_t> read_sized_file(const std::filesystem::path& path, size_t head,
                                     uint64_t (*total_size)(const uint8_t* head,
                                                            const std::string& path));

}  // namespace fcm::loader
