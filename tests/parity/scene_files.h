// Stored and procedural images with segmentation maps, as datasets of this program's loader.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "fcm/loader/scene.h"

namespace fcm::parity {

image::Image image_of(const at::Tensor& image_HWC);
loader::ClassMap map_of_classes(const at::Tensor& classes_HW);
at::Tensor bytes_of(const std::vector<uint8_t>& bytes, at::IntArrayRef shape);
inline at::Tensor tensor_of(const image::Image& image) {
  return bytes_of(image.pixels, {image.rows, image.cols, image.channels});
}
inline at::Tensor tensor_of(const loader::ClassMap& map) {
  return bytes_of(map.classes, {map.rows, map.cols});
}

// SHA-256 of a tensor's bytes, row-major.
std::string digest_of(const at::Tensor& tensor);

// An image that the manifest describes under "procedural"; procedural_map() is such a map.
at::Tensor procedural_image(uint64_t seed, int64_t rows, int64_t cols);
// The procedural image of the detection set: the 24-bit values are reduced to 8 bits.
image::Image procedural_bytes(const std::string& name, uint64_t seed, int64_t rows, int64_t cols);
at::Tensor procedural_map(uint64_t seed, int64_t rows, int64_t cols, int64_t block,
                          int64_t classes);

// A dataset of one image and its map.
class OneScene final : public loader::Dataset {
 public:
  OneScene(image::Image image, loader::ClassMap map)
      : image_(std::move(image)), map_(std::move(map)) {}
  int64_t size() const override { return 1; }
  image::Image get(int64_t, int64_t) const override { return image_; }
  int64_t label(int64_t) const override { return -1; }
  loader::ClassMap class_map(int64_t) const override { return map_; }
  std::string name(int64_t) const override { return "the stored image"; }
  const std::vector<std::string>& classes() const override { return none_; }

 private:
  image::Image image_;
  loader::ClassMap map_;
  std::vector<std::string> none_;
};

// Replays the random numbers that upstream drew for one image, in order; `options` has the range of
// ratios. Throws Error(kData) for a draw with other bounds, or for more draws than are stored.
loader::SceneDraws stored_draws(const nlohmann::json& draws, const loader::SceneOptions& options);

}  // namespace fcm::parity
