// A data set of synthetic images with class maps for tests.
#pragma once

#include <map>

#include "fcm/loader/scene.h"
#include "tests/loader/support.h"

namespace fcm::test {

// A map of blocks with the values of a file: 0 (unlabelled) and the classes 1 to `classes`.
inline loader::ClassMap blocks(int64_t rows, int64_t cols, uint32_t seed, uint8_t classes = 5) {
  const image::Image grain = pattern(rows / 8 + 1, cols / 8 + 1, 1, seed);
  loader::ClassMap map{rows, cols, {}};
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t col = 0; col < cols; ++col) {
      map.classes.push_back(grain.pixels[static_cast<size_t>(row / 8 * grain.cols + col / 8)] %
                            (classes + 1));
    }
  }
  return map;
}

// Images of different sizes with maps; images in `bad` cannot be read.
class DrawnScenes final : public loader::Dataset {
 public:
  explicit DrawnScenes(int64_t size, std::set<int64_t> bad = {}) : size_(size), bad_(bad) {}

  int64_t size() const override { return size_; }
  int64_t label(int64_t) const override { return -1; }
  const std::vector<std::string>& classes() const override { return none_; }
  std::string name(int64_t index) const override { return fmt::format("scene {}", index); }
  image::Image get(int64_t index, int64_t channels) const override {
    if (bad_.contains(index)) fail(ExitCode::kData, "{}: damaged", name(index));
    const auto [rows, cols] = extent_of(index);
    return pattern(rows, cols, channels, static_cast<uint32_t>(index));
  }
  bool has_maps() const override { return true; }
  loader::ClassMap class_map(int64_t index) const override {
    if (const auto own = maps.find(index); own != maps.end()) return own->second;
    const auto [rows, cols] = extent_of(index);
    return blocks(rows, cols, static_cast<uint32_t>(index));
  }
  loader::Extent extent_of(int64_t index) const {
    if (const auto own = extents.find(index); own != extents.end()) return own->second;
    return {40 + index % 7 * 9, 50 + index % 5 * 11};
  }

  std::map<int64_t, loader::ClassMap> maps;
  std::map<int64_t, loader::Extent> extents;

 private:
  int64_t size_;
  std::set<int64_t> bad_;
  std::vector<std::string> none_;
};

// Options for five classes and crops of 32 x 40 from images with a shorter side of 24 to 96.
inline loader::SceneOptions scene_options() {
  loader::SceneOptions options;
  options.data.image_size = {32, 40};
  options.data.max_bad_share = 1;
  options.data.max_bad_in_a_row = 1000;
  options.pipeline.scale = {192, 48};
  options.classes = 5;
  return options;
}

inline loader::LoaderRequest scenes_request(std::shared_ptr<const loader::Dataset> dataset,
                                            int64_t batch_size, int64_t threads,
                                            int64_t first_step = 0) {
  const loader::SceneOptions options = scene_options();
  return {.dataset = std::move(dataset),
          .data = options.data,
          .targets = loader::TargetKind::kMap,
          .batch_size = batch_size,
          .seed = 5,
          .threads = threads,
          .first_step = first_step,
          .pipeline = options.pipeline,
          .classes = options.classes};
}

}  // namespace fcm::test
