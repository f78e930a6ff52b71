// Unpacking gzip files whose size is known beforehand.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace fcm::loader {

// Reads a file of which the first bytes tell the size: once `head` bytes are known, `total_size` is
// asked for the size of the whole, and exactly so many bytes must follow. A file whose name ends in
// .gz is unpacked, and never into more memory than `total_size` said; a size that the packed file
// cannot hold is refused before memory is taken. Throws Error(kData).
std::vector<uint8_t> read_sized_file(const std::filesystem::path& path, size_t head,
                                     uint64_t (*total_size)(const uint8_t* head,
                                                            const std::string& path));

}  // namespace fcm::loader
