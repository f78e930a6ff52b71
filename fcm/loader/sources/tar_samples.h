// The samples of one tar shard in webdataset's layout. A sample consists of the members that share
// a key: the whole name, with its folders, up to the first dot after the last slash. "key.jpg" (or
// another image extension) is the image, "key.cls" contains the class as a decimal number or a
// name; the letter case of extensions is ignored. Other members are counted as left out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fcm/loader/remarks.h"
#include "fcm/loader/sources/random_access_file.h"

namespace fcm::loader {

struct TarSample {
  std::string key;
  uint64_t begin = 0;  // of the image's bytes in the shard
  uint64_t size = 0;
  bool has_image = false;
  int32_t label = -1;
  std::string fault;        // why the image cannot be used; empty: it can
  std::string label_fault;  // why the label cannot be used; independent of the image
  std::string label_name;   // a label that is not a number but may be a class name
};

struct TarContents {
  std::vector<TarSample> samples;  // in the order in which keys first appear
  LeftOut left_out;                // members that belong to no sample
  bool has_end_mark = true;        // false: the shard may be truncated between two members
};

// Of several images of a key, the one whose extension comes first in kImageEndings is used. A
// defect of one sample is stored in `fault` (a name that leads out of the archive, a link, a
// device, a sparse file, two images with one extension, no image) or in `label_fault` (two labels,
// a label that is not a number). A defect of the archive throws Error(kData). A key whose only
// image has an unsupported format (.gif) is not a sample; the image is counted as left out.
TarContents contents_of_tar(const RandomAccessFile& shard);

}  // namespace fcm::loader
