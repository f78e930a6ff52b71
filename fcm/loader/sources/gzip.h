// Reads files, plain or gzipped, whose header states the size of the content.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace fcm::loader {

// Reads the content of a file; a file whose name ends in .gz is unpacked. `total_size` computes the
// size of the whole content from its first `head` bytes, and the content must have exactly that
// size. Never allocates more memory than that, and refuses a size that the packed file cannot hold
// before it allocates any. Throws Error(kData).
std::vector<uint8_t> read_sized_file(const std::filesystem::path& path, size_t head,
                                     uint64_t (*total_size)(const uint8_t* head,
                                                            const std::string& path));

}  // namespace fcm::loader
