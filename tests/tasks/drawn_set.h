// A data set of uniform grey images. The test chooses names, labels and grey values, and which
// images or labels cannot be read.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/loader/dataset.h"

namespace fcm::tests {

class DrawnSet final : public loader::Dataset {
 public:
  struct DrawnImage {
    std::string name;
    int64_t label = -1;  // -2: label() throws
    uint8_t grey = 0;    // 255: get() throws
  };
  DrawnSet(std::vector<DrawnImage> images, std::vector<std::string> classes)
      : images_(std::move(images)), classes_(std::move(classes)) {}

  int64_t size() const override { return std::ssize(images_); }
  image::Image get(int64_t index, int64_t channels) const override {
    const uint8_t grey = at(index).grey;
    if (grey == 255) fail(ExitCode::kData, "{} is damaged", name(index));
    return {4, 4, channels, std::vector<uint8_t>(static_cast<size_t>(16 * channels), grey)};
  }
  int64_t label(int64_t index) const override {
    if (at(index).label == -2) fail(ExitCode::kData, "{} has a damaged label", name(index));
    return at(index).label;
  }
  std::string name(int64_t index) const override { return at(index).name; }
  const std::vector<std::string>& classes() const override { return classes_; }

 private:
  const DrawnImage& at(int64_t index) const { return images_[static_cast<size_t>(index)]; }
  std::vector<DrawnImage> images_;
  std::vector<std::string> classes_;
};

}  // namespace fcm::tests
