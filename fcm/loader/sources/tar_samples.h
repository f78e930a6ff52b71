// The samples of one tar shard in webdataset's layout: members that share a key, which is the name
// up to the first dot behind the last slash; "key.jpg" (or another ending of a picture) is the
// picture, "key.cls" the class as a decimal number; endings in any case. Other members are counted.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fcm/loader/remarks.h"
#include "fcm/loader/sources/random_access_file.h"

namespace fcm::loader {

struct TarSample {
  std::string key;
  uint64_t begin = 0;  // of the picture's bytes in the shard
  uint64_t size = 0;
  bool has_picture = false;
  int32_t label = -1;
  std::string fault;        // why the picture cannot be used; empty: it can
  std::string label_fault;  // why the label cannot, which does not concern the picture
  std::string label_name;   // what the label is instead of a number, where that can be a name
};

struct TarContents {
  std::vector<TarSample> samples;  // in the order in which keys first appear
  LeftOut left_out;                // members of no sample
  bool has_end_mark = true;        // false: it may have been cut between two members
};

// Of several pictures of a key, the one whose ending stands first in kPictureEndings is taken. What
// is wrong with one sample (a name that leads out, a link, a device, a sparse file, two pictures of
// one ending, no picture; two labels, one that is no number) is its fault; what is wrong with the
// archive is an Error(kData). Keys whose only picture is of an ending that is not read (.gif) are
// no samples: these members are counted.
TarContents contents_of_tar(const RandomAccessFile& shard);

}  // namespace fcm::loader
