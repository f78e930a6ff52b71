#pragma once

#include <cstdint>

namespace fcm::targets {

// Published image towers whose features can be reconstructed.
enum class TeacherKind { kDino, kClip };

// Sizes of a tower; these are ViT-B/16.
struct TeacherOptions {
  TeacherKind kind = TeacherKind::kDino;
  int64_t rows = 224, cols = 224;  // of the picture, in pixels
  int64_t channels = 3;
  int64_t stride = 16;  // side of a patch, pixels
  int64_t dim = 768;
  int64_t depth = 12;
  int64_t heads = 12;
  double mlp_ratio = 4;
  int64_t projected_dim = 512;  // CLIP alone
};

// What of a tower: patch tokens after the last block, behind the last norm (`norm` of DINO,
// `ln_post` of CLIP), or projected from there (CLIP alone).
enum class Feature { kTokens, kNormed, kProjected };

}  // namespace fcm::targets
