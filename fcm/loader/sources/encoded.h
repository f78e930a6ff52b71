// Pictures that are kept as JPEG, PNG or WebP files, wherever these lie.
#pragma once

#include <string>

#include "fcm/loader/dataset.h"

namespace fcm::loader {

class EncodedDataset : public Dataset {
 public:
  // The reason of a failure follows the picture's name. Damage below a section is not noticed
  // (image::decode_section); get reads and checks all.
  image::Image get(int64_t index, int64_t channels) const final;
  image::Section get_section(int64_t index, int64_t channels,
                             const image::ChooseBox& choose) const final;

  // The bytes of the i-th picture's file. Throws Error(kData) that names the picture.
  virtual std::string read(int64_t index) const = 0;

 private:
  // Whether pictures are turned as EXIF says (image/orientation.h).
  virtual bool turns_upright() const { return false; }
  // Throws Error(kData) where the i-th picture should have another size.
  virtual void check_size(int64_t /*index*/, int64_t /*rows*/, int64_t /*cols*/) const {}
};

}  // namespace fcm::loader
