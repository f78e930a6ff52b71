#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "fcm/encoder/tower.h"

namespace fcm::targets {

// Published image towers whose features can be reconstructed. DINO is MAE's ViT; the others have
// what fcm/encoder/tower.h lists.
enum class TeacherKind { kDino, kDinoV2, kDinoV3, kClip, kSiglip };

// "DINO", "DINOv2", "DINOv3", "CLIP", "SigLIP"
const char* name_of(TeacherKind kind);

// Which target they are: "dino" or "clip", the latter for towers that were trained with texts.
const char* target_of(TeacherKind kind);

// Sizes of a tower; these are ViT-B/16 of DINO. of_kind has what is published of the others.
struct TeacherOptions {
  TeacherKind kind = TeacherKind::kDino;
  int64_t rows = 224, cols = 224;  // of the picture, in pixels
  int64_t channels = 3;
  int64_t stride = 16;  // side of a patch, pixels
  int64_t dim = 768;
  int64_t depth = 12;
  int64_t heads = 12;
  double mlp_ratio = 4;
  int64_t registers = 0;      // of DINOv2 and DINOv3
  int64_t projected_dim = 0;  // of CLIP's projection, where it is wanted; 0: there is none
  double norm_epsilon = 1e-6;
  encoder::Gelu gelu = encoder::Gelu::kExact;
  // How the tower wants its pixels, from 0 to 1.
  std::array<double, 3> mean{0.485, 0.456, 0.406}, deviation{0.229, 0.224, 0.225};
};

// What the published programs of that kind have: epsilon, GELU, mean and deviation; registers of
// DINOv3.
TeacherOptions of_kind(TeacherKind kind);

// "DINOv2 with 384 channels, 12 blocks, patches of 14 pixels and 4 registers"
std::string described(const TeacherOptions& options);

// What of a tower: patch tokens after the last block, behind the last norm (`norm` of DINO,
// `ln_post` of CLIP), or projected from there (CLIP alone).
enum class Feature { kTokens, kNormed, kProjected };

}  // namespace fcm::targets
