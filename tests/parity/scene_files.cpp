#include "tests/parity/scene_files.h"

#include <ATen/ATen.h>

#include <memory>

#include "fcm/base/error.h"
#include "fcm/base/random.h"
#include "tests/image/sha256.h"

namespace fcm::parity {
namespace {

std::vector<uint8_t> bytes_in(const at::Tensor& tensor) {
  const at::Tensor dense = tensor.contiguous();
  const auto* const first = static_cast<const uint8_t*>(dense.const_data_ptr());
  return {first, first + dense.nbytes()};
}

// The 24 bits from which procedural values are derived: a hash of name, seed and position.
class ProceduralBits {
 public:
  ProceduralBits(const std::string& name, uint64_t seed)
      : start_(fnv1a64(name.data(), name.size()) + (seed + 1) * 0x9E3779B97F4A7C15) {}
  int64_t operator()(int64_t position) const {
    constexpr uint64_t kMix1 = 0xBF58476D1CE4E5B9, kMix2 = 0x94D049BB133111EB;
    uint64_t z = start_ + static_cast<uint64_t>(position) * kMix1;
    z = (z ^ (z >> 30)) * kMix1;
    z = (z ^ (z >> 27)) * kMix2;
    z ^= z >> 31;
    return static_cast<int64_t>(z >> 40);
  }

 private:
  uint64_t start_;
};

// Replays a list of draws [function, arguments, value]: returns the values in order, and fails if a
// call differs from the listed one.
class Replay {
 public:
  explicit Replay(nlohmann::json draws) : draws_(std::move(draws)) {}

  nlohmann::json next(const std::string& function, const nlohmann::json& arguments) {
    if (at_ == draws_.size()) {
      fail(ExitCode::kData, "the case draws more than the {} stored random numbers", at_);
    }
    const nlohmann::json& draw = draws_.at(at_++);
    if (draw.at(0) != function || draw.at(1) != arguments) {
      fail(ExitCode::kData, "random number {} is stored for {}{}, but drawn by {}{}", at_ - 1,
           draw.at(0).dump(), draw.at(1).dump(), function, arguments.dump());
    }
    return draw.at(2);
  }
  bool coin() { return next("randint", {2}) == 1; }
  double uniform(double low, double high) { return next("uniform", {low, high}).get<double>(); }

 private:
  nlohmann::json draws_;
  size_t at_ = 0;
};

loader::Distortion stored_distortion(Replay replay) {
  loader::Distortion drawn;
  const auto contrast = [&] {
    if (replay.coin()) drawn.contrast = replay.uniform(0.5, 1.5);
  };
  if (replay.coin()) drawn.brightness = replay.uniform(-32, 32);
  drawn.contrast_first = replay.coin();
  if (drawn.contrast_first) contrast();
  if (replay.coin()) drawn.saturation = replay.uniform(0.5, 1.5);
  if (replay.coin()) drawn.hue = replay.next("randint", {-18, 18}).get<int>();
  if (!drawn.contrast_first) contrast();
  return drawn;
}

}  // namespace

at::Tensor bytes_of(const std::vector<uint8_t>& bytes, at::IntArrayRef shape) {
  return at::tensor(at::ArrayRef<uint8_t>(bytes), at::kByte).reshape(shape);
}

image::Image image_of(const at::Tensor& image_HWC) {
  return {image_HWC.size(0), image_HWC.size(1), image_HWC.size(2), bytes_in(image_HWC)};
}

loader::ClassMap map_of_classes(const at::Tensor& classes_HW) {
  return {classes_HW.size(0), classes_HW.size(1), bytes_in(classes_HW)};
}

std::string digest_of(const at::Tensor& tensor) { return test::Sha256::hex(bytes_in(tensor)); }

at::Tensor procedural_image(uint64_t seed, int64_t rows, int64_t cols) {
  const ProceduralBits coarse("picture.coarse", seed), fine("picture", seed);
  std::vector<uint8_t> pixels;
  for (int64_t y = 0; y < rows; ++y) {
    for (int64_t x = 0; x < cols; ++x) {
      for (int64_t c = 0; c < 3; ++c) {
        const int64_t block = coarse((y * 16 / rows * 16 + x * 16 / cols) * 3 + c);
        const int64_t grain = fine((y * cols + x) * 3 + c);
        pixels.push_back(static_cast<uint8_t>((block * 200 + grain * 56) >> 24));
      }
    }
  }
  return bytes_of(pixels, {rows, cols, 3});
}

image::Image procedural_bytes(const std::string& name, uint64_t seed, int64_t rows, int64_t cols) {
  const ProceduralBits bits(name, seed);
  image::Image image{rows, cols, 3, {}};
  for (int64_t i = 0; i < rows * cols * 3; ++i) {
    image.pixels.push_back(static_cast<uint8_t>(bits(i) >> 16));
  }
  return image;
}

at::Tensor procedural_map(uint64_t seed, int64_t rows, int64_t cols, int64_t block,
                          int64_t classes) {
  const ProceduralBits labels("raw_labels", seed);
  const int64_t across = (cols + block - 1) / block;
  std::vector<uint8_t> values;
  for (int64_t y = 0; y < rows; ++y) {
    for (int64_t x = 0; x < cols; ++x) {
      values.push_back(
          static_cast<uint8_t>((labels(y / block * across + x / block) * (classes + 1)) >> 24));
    }
  }
  return bytes_of(values, {rows, cols});
}

loader::SceneDraws stored_draws(const nlohmann::json& draws, const loader::SceneOptions& options) {
  loader::SceneDraws drawn;
  const std::vector<double>& range = options.pipeline.ratio_range;
  const auto share = Replay(draws.at("resize")).next("random_sample", nlohmann::json::array());
  drawn.ratio = share.get<double>() * (range[1] - range[0]) + range[0];
  drawn.draw_offset = [crops = std::make_shared<Replay>(draws.at("crop"))](int64_t most) {
    return crops->next("randint", {0, most + 1}).get<int64_t>();
  };
  const auto flip = Replay(draws.at("flip")).next("rand", nlohmann::json::array());
  drawn.mirror = flip.get<double>() < options.data.flip;
  drawn.distortion = stored_distortion(Replay(draws.at("distortion")));
  return drawn;
}

}  // namespace fcm::parity
