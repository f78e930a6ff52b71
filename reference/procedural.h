// Tensors made from a name and a seed: with them, stored results of large published models need no
// stored weights.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace fcm::reference {

// What a name stands for decides the range of its values.
enum class ProceduralKind { kNoise, kImages, kNormWeight, kSmall, kWeight };
ProceduralKind procedural_kind(const std::string& name, size_t dimensions);

// float32 of the published shape. `name` is the published key ("blocks1.0.attn.weight"), or
// "images", "noise", "targets", "logits", "feature.<i>", "probe.<name>". The same bits everywhere:
// a hash of name, seed and position, and float32 arithmetic without fused multiply-adds. Position
// tables are procedural in teachers alone.
at::Tensor procedural(const std::string& name, uint64_t seed, const std::vector<int64_t>& shape);
// The same where a set says itself what a name stands for.
at::Tensor procedural(const std::string& name, uint64_t seed, const std::vector<int64_t>& shape,
                      ProceduralKind kind);

}  // namespace fcm::reference
