#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "fcm/encoder/tower.h"

namespace fcm::targets {

// Upstream image towers whose features can be targets. DINO is MAE's ViT; the other kinds use the
// options of fcm/encoder/tower.h.
enum class TeacherKind { kDino, kDinoV2, kDinoV3, kClip, kSiglip };

// "DINO", "DINOv2", "DINOv3", "CLIP", "SigLIP"
const char* name_of(TeacherKind kind);

// The target that a tower of this kind computes: "clip" for towers trained with texts, else "dino".
const char* target_of(TeacherKind kind);

// Kind, sizes and settings of a tower. The defaults are those of DINO's ViT-B/16; of_kind returns
// the upstream settings of another kind.
struct TeacherOptions {
  TeacherKind kind = TeacherKind::kDino;
  int64_t rows = 224, cols = 224;  // of the image, in pixels
  int64_t channels = 3;
  int64_t stride = 16;  // side of a patch, pixels
  int64_t dim = 768;
  int64_t depth = 12;
  int64_t heads = 12;
  double mlp_ratio = 4;
  int64_t registers = 0;      // DINOv2 and DINOv3
  int64_t projected_dim = 0;  // of CLIP's projection, if it is used; 0: no projection
  double norm_epsilon = 1e-6;
  encoder::Gelu gelu = encoder::Gelu::kExact;
  // Normalisation of the pixels, on a scale of 0 to 1.
  std::array<double, 3> mean{0.485, 0.456, 0.406}, stddev{0.229, 0.224, 0.225};
};

// Options with the upstream settings of `kind`: epsilon, GELU, mean and std, and DINOv3's
// registers.
TeacherOptions of_kind(TeacherKind kind);

// "DINOv2 with 384 channels, 12 blocks, patches of 14 pixels and 4 registers"
std::string described(const TeacherOptions& options);

// Which features of a tower. kTokens: patch tokens after the last block. kNormed: after the last
// norm (`norm` of DINO, `ln_post` of CLIP). kProjected: projected after that norm (CLIP only).
enum class Feature { kTokens, kNormed, kProjected };

}  // namespace fcm::targets
