// Stored pictures with maps of classes, and made-up ones, as this program's loader takes them.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "fcm/loader/scene.h"

namespace fcm::parity {

image::Image image_of(const at::Tensor& picture_HWC);
loader::ClassMap map_of_classes(const at::Tensor& classes_HW);
at::Tensor bytes_of(const std::vector<uint8_t>& bytes, at::IntArrayRef shape);
inline at::Tensor tensor_of(const image::Image& picture) {
  return bytes_of(picture.pixels, {picture.rows, picture.cols, picture.channels});
}
inline at::Tensor tensor_of(const loader::ClassMap& map) {
  return bytes_of(map.classes, {map.rows, map.cols});
}

// SHA-256 of a tensor's bytes, row-major.
std::string digest_of(const at::Tensor& tensor);

// The pictures and maps that the manifest describes under "procedural".
at::Tensor procedural_picture(uint64_t seed, int64_t rows, int64_t cols);
// That of detection, under the name it is described by: each number of 24 bits cut to 8.
image::Image procedural_bytes(const std::string& name, uint64_t seed, int64_t rows, int64_t cols);
at::Tensor procedural_map(uint64_t seed, int64_t rows, int64_t cols, int64_t block,
                          int64_t classes);

// One picture and its map.
class OneScene final : public loader::Dataset {
 public:
  OneScene(image::Image picture, loader::ClassMap map)
      : picture_(std::move(picture)), map_(std::move(map)) {}
  int64_t size() const override { return 1; }
  image::Image get(int64_t, int64_t) const override { return picture_; }
  int64_t label(int64_t) const override { return -1; }
  loader::ClassMap class_map(int64_t) const override { return map_; }
  std::string name(int64_t) const override { return "the stored picture"; }
  const std::vector<std::string>& classes() const override { return none_; }

 private:
  image::Image picture_;
  loader::ClassMap map_;
  std::vector<std::string> none_;
};

// The random numbers that the published program drew for one picture, in its order; `options` has
// the range of ratios. A number that is asked for in other bounds, or one too many, is an
// Error(kData).
loader::SceneDraws stored_draws(const nlohmann::json& draws, const loader::SceneOptions& options);

}  // namespace fcm::parity
