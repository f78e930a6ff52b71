// Walks over the members of a tar archive without unpacking it.
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
  std::string fault;  // why it must not be used; empty: a plain file with a harmless name
};

// Calls `member` for every member but folders, in order. Names are never looked up on disk, links
// never followed. Throws Error(kData) that names archive, place and reason where the archive is
// damaged: a wrong checksum, numbers that disagree, a member or extended header that does not fit,
// sparse members of GNU's old form, or bytes behind the mark of its end; or that it is something
// else. Returns whether that mark (two blocks of zeros; one is enough) was there: without it an
// archive that was cut between two members looks whole.
bool walk_tar(const RandomAccessFile& file, const std::function<void(const TarMember&)>& member);

}  // namespace fcm::loader
