#include "reference/procedural.h"

#include <ATen/ATen.h>

#include <cmath>

namespace fcm::reference {
namespace {

constexpr uint64_t kFnvOffset = 0xcbf29ce484222325, kFnvPrime = 0x100000001b3;
constexpr uint64_t kGolden = 0x9E3779B97F4A7C15;
constexpr uint64_t kMix1 = 0xBF58476D1CE4E5B9, kMix2 = 0x94D049BB133111EB;

uint64_t hash_of(const std::string& name) {  // FNV-1a
  uint64_t hash = kFnvOffset;
  for (const char letter : name) hash = (hash ^ static_cast<unsigned char>(letter)) * kFnvPrime;
  return hash;
}

// Uniform in [0, 1), a multiple of 2^-24.
float uniform(uint64_t start, uint64_t position) {
  uint64_t z = start + position * kMix1;
  z = (z ^ (z >> 30)) * kMix1;
  z = (z ^ (z >> 27)) * kMix2;
  z ^= z >> 31;
  return static_cast<float>(z >> 40) * 0x1p-24f;
}

// Width of the uniform distribution with variance 1 / fan_in.
float weight_range(const std::vector<int64_t>& shape) {
  double fan_in = 1;
  for (size_t i = 1; i < shape.size(); ++i) fan_in *= static_cast<double>(shape[i]);
  return static_cast<float>(2.0 * std::sqrt(3.0 / fan_in));
}

}  // namespace

ProceduralKind procedural_kind(const std::string& name, size_t dimensions) {
  if (name == "noise" || name == "targets" || name == "mask") return ProceduralKind::kNoise;
  if (name == "images" || name == "logits") return ProceduralKind::kImages;
  for (const char* beginning : {"feature.", "cotangent.", "probe."}) {
    if (name.starts_with(beginning)) return ProceduralKind::kImages;
  }
  if (name.ends_with("mask_token") || name.ends_with("cls_token")) return ProceduralKind::kSmall;
  // "_embedding": CLIP's class token and positions. "visual.proj": CLIP's projection. "rel_pos_h",
  // "rel_pos_w": tables of detectors.
  for (const char* ending : {"bias", "relative_position_bias_table", "_embedding", "pos_embed",
                             "visual.proj", "running_mean", "rel_pos_h", "rel_pos_w"}) {
    if (name.ends_with(ending)) return ProceduralKind::kSmall;
  }
  return dimensions == 1 ? ProceduralKind::kNormWeight : ProceduralKind::kWeight;
}

at::Tensor procedural(const std::string& name, uint64_t seed, const std::vector<int64_t>& shape) {
  return procedural(name, seed, shape, procedural_kind(name, shape.size()));
}

at::Tensor procedural(const std::string& name, uint64_t seed, const std::vector<int64_t>& shape,
                      ProceduralKind kind) {
  const uint64_t start = hash_of(name) + (seed + 1) * kGolden;
  const float range = kind == ProceduralKind::kImages   ? 4.0f
                      : kind == ProceduralKind::kSmall  ? 0.1f
                      : kind == ProceduralKind::kWeight ? weight_range(shape)
                                                        : 0.2f;
  at::Tensor tensor = at::empty(shape, at::kFloat);
  auto* values = tensor.mutable_data_ptr<float>();
  for (int64_t i = 0; i < tensor.numel(); ++i) {
    const float value = uniform(start, static_cast<uint64_t>(i));
    const volatile float scaled = (value - 0.5f) * range;  // volatile: never fused into an FMA
    values[i] = kind == ProceduralKind::kNoise        ? value
                : kind == ProceduralKind::kNormWeight ? 1.0f + scaled
                                                      : scaled;
  }
  return tensor;
}

}  // namespace fcm::reference
