// A data set of synthetic images with objects for tests.
#pragma once

#include <algorithm>

#include "fcm/loader/frame.h"
#include "tests/loader/support.h"

namespace fcm::test {

// Images of different sizes, each with a few square objects. Images in `bad` cannot be read. Images
// in `bare` have only a crowd.
class DrawnObjects final : public loader::Dataset {
 public:
  explicit DrawnObjects(int64_t size, std::set<int64_t> bad = {}, std::set<int64_t> bare = {})
      : size_(size), bad_(bad), bare_(bare) {}

  int64_t size() const override { return size_; }
  int64_t label(int64_t) const override { return -1; }
  const std::vector<std::string>& classes() const override { return none_; }
  std::string name(int64_t index) const override { return fmt::format("objects {}", index); }
  image::Image get(int64_t index, int64_t channels) const override {
    if (bad_.contains(index)) fail(ExitCode::kData, "{}: damaged", name(index));
    const auto [rows, cols] = extent_of(index);
    return pattern(rows, cols, channels, static_cast<uint32_t>(index));
  }
  bool has_instances() const override { return true; }
  loader::Instances instances(int64_t index) const override {
    const auto [rows, cols] = extent_of(index);
    loader::Instances all{1000 + index, rows, cols, {}};
    for (int64_t i = 0; i <= index % 3; ++i) {
      loader::Instance square;
      const auto low = static_cast<double>(3 * i), high = static_cast<double>(3 * i + 12);
      square.annotation = 10 * index + i;
      square.class_number = i;
      square.box = {low, low, high, high};
      square.outlines = {{low, low, high, low, high, high, low, high}};
      square.area = 144;
      square.crowd = bare_.contains(index);
      all.instances.push_back(square);
    }
    return all;
  }
  // Every third image is at least as high as wide; the others are wide.
  loader::Extent extent_of(int64_t index) const {
    return index % 3 == 0 ? loader::Extent{70, 40 + index % 31}
                          : loader::Extent{40 + index % 7, 50 + index % 5};
  }

 private:
  int64_t size_;
  std::set<int64_t> bad_, bare_;
  std::vector<std::string> none_;
};

inline loader::FrameOptions frame_options(int64_t side = 48) {
  loader::FrameOptions options;
  options.data = small_options(side);
  options.data.max_bad_share = 1;
  options.data.max_bad_in_a_row = 1000;
  return options;
}

}  // namespace fcm::test
