// Values made from a name and a seed, by which golden data of large models need no weights in
// files. The rule (shared/fixtures/README.md, "Procedural values") is exact in float32. Header
// only.
#pragma once

#include <ATen/ATen.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace fcm::test {

enum class Procedural { kNoise, kImages, kNormWeight, kSmall, kWeight };

inline Procedural procedural_kind(const std::string& name, size_t dimensions) {
  if (name == "noise" || name == "targets") return Procedural::kNoise;
  if (name == "images") return Procedural::kImages;
  if (name.ends_with(".bias") || name == "mask_token" || name == "cls_token") {
    return Procedural::kSmall;
  }
  return dimensions == 1 ? Procedural::kNormWeight : Procedural::kWeight;
}

// float32, of the published shape. Position tables are never procedural.
inline at::Tensor procedural(const std::string& name, uint64_t seed,
                             const std::vector<int64_t>& shape) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char letter : name) {
    hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001b3;
  }
  const Procedural kind = procedural_kind(name, shape.size());
  double fan_in = 1;
  for (size_t dimension = 1; dimension < shape.size(); ++dimension) {
    fan_in *= static_cast<double>(shape[dimension]);
  }
  const auto scale = static_cast<float>(2.0 * std::sqrt(3.0 / fan_in));
  at::Tensor tensor = at::empty(shape, at::kFloat);
  float* values = tensor.mutable_data_ptr<float>();
  for (int64_t i = 0; i < tensor.numel(); ++i) {
    uint64_t z =
        hash + (seed + 1) * 0x9E3779B97F4A7C15 + static_cast<uint64_t>(i) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    z ^= z >> 31;
    const float uniform = static_cast<float>(z >> 40) * 0x1p-24f;
    const float centred = uniform - 0.5f;
    switch (kind) {
      case Procedural::kNoise:
        values[i] = uniform;
        break;
      case Procedural::kImages:
        values[i] = centred * 4.0f;
        break;
      case Procedural::kSmall:
        values[i] = centred * 0.1f;
        break;
      case Procedural::kWeight:
        values[i] = centred * scale;
        break;
      case Procedural::kNormWeight: {
        const volatile float product = centred * 0.2f;  // two roundings: never an FMA
        values[i] = 1.0f + product;
        break;
      }
    }
  }
  return tensor;
}

}  // namespace fcm::test
