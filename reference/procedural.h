// Tensors generated from a name and a seed, so that stored results of large upstream models need no
// stored weights.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace fcm::reference {

// The kind of a name decides the range of its values.
enum class ProceduralKind { kNoise, kImages, kNormWeight, kSmall, kWeight };
ProceduralKind procedural_kind(const std::string& name, size_t dimensions);

// float32 of the given shape. `name` is an upstream key ("blocks1.0.attn.weight"), or "images",
// "noise", "targets", "mask", "logits", "feature.<i>", "cotangent.<name>", "probe.<name>". The same
// bits everywhere: a hash of name, seed and position, and float32 arithmetic without fused
// multiply-adds. Position tables are procedural only in teachers.
at::Tensor procedural(const std::string& name, uint64_t seed, const std::vector<int64_t>& shape);
// The same with an explicit kind.
at::Tensor procedural(const std::string& name, uint64_t seed, const std::vector<int64_t>& shape,
                      ProceduralKind kind);

}  // namespace fcm::reference
