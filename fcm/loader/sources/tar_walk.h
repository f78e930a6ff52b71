// Lists the members of a tar archive without unpacking it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "fcm/loader/sources/random_access_file.h"

namespace fcm::loader {

struct TarMember {
  std::string name;    // without leading "./"
  uint64_t begin = 0;  // offset of its content in the archive
  uint64_t size = 0;
  std::string fault;  // why it cannot be used; empty: a regular file with a safe name
};

// Calls `member` for every member except folders, in order. Names are never looked up on disk and
// links never followed. Throws Error(kData) that names archive, byte and reason if the archive is
// damaged (a wrong checksum, contradictory numbers, a member or extended header that does not fit,
// sparse members in GNU's old format, bytes after the end mark) or the file is not a tar archive.
// Returns whether the archive has its end mark (two blocks of zeros, of which one is enough).
// Without the mark, an archive that is truncated between two members looks complete.
bool walk_tar(const RandomAccessFile& file, const std::function<void(const TarMember&)>& member);

}  // namespace fcm::loader
