// Lists the members of a tar archive without unpacking it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "fcm/loader/sources/random_access_file.h"

namespace fcm::loader {

struct TarMember {
  std::string name;    // without leading "./"
  uint64_t begin = 0;  // of its bytes in the archive
  uint64_t size = 0;
  std::string fault;  // why it must not be used; empty: a regular file with a safe name
};

// Calls `member` for every member except folders, in order. Names are never looked up on disk and
// links never followed. Throws Error(kData) that names archive, byte and reason if the archive is
// damaged (a wrong checksum, contradictory numbers, a member or extended header that does not fit,
// sparse members in GNU's old format, bytes after the end mark) or the file is not a tar archive.
// Returns whether the archive has its end mark (two blocks of zeros; one is enough): without it, an
// archive truncated between two members cannot be told from a complete one.
bool walk_tar(const RandomAccessFile& file, const std::function<void(const TarMember&)>& member);

}  // namespace fcm::loader
