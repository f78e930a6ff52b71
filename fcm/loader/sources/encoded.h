// Base class for data sets of encoded images (JPEG, PNG, WebP, ...) in files, archives or memory.
#pragma once

#include <string>

#include "fcm/loader/dataset.h"

namespace fcm::loader {

class EncodedDataset : public Dataset {
 public:
  // Errors name the image and the reason. get() reads and checks the whole file; get_section() may
  // not notice damage below the section (image::decode_section).
  image::Image get(int64_t index, int64_t channels) const final;
  image::Section get_section(int64_t index, int64_t channels,
                             const image::ChooseBox& choose) const final;

  int orientation(int64_t index) const final;  // reads the file
  // Whether images are rotated by their orientation (image/orientation.h); by default they are not,
  // as in torchvision.
  bool applies_orientation() const override { return false; }

  // The encoded bytes of the i-th image. Throws Error(kData) that names the image.
  virtual std::string read(int64_t index) const = 0;

 private:
  // Throws Error(kData) if the i-th image has an unexpected size.
  virtual void check_size(int64_t /*index*/, int64_t /*rows*/, int64_t /*cols*/) const {}
};

}  // namespace fcm::loader
