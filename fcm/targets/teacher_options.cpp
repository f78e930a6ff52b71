#include "fcm/targets/teacher_options.h"

#include <fmt/format.h>

namespace fcm::targets {

const char* name_of(TeacherKind kind) {
  switch (kind) {
    case TeacherKind::kDino:
      return "DINO";
    case TeacherKind::kDinoV2:
      return "DINOv2";
    case TeacherKind::kDinoV3:
      return "DINOv3";
    case TeacherKind::kClip:
      return "CLIP";
    case TeacherKind::kSiglip:
      break;
  }
  return "SigLIP";
}

const char* target_of(TeacherKind kind) {
  return kind == TeacherKind::kClip || kind == TeacherKind::kSiglip ? "clip" : "dino";
}

// Sources: vision_transformer.py of dino, dinov2 and dinov3 (vit_small and so on, whose layernorm
// is "layernormbf16", epsilon 1e-5, in dinov3); openai/CLIP's model.py and clip.py; big_vision's
// vit.py and its configurations of siglip, transformers' SiglipVisionConfig.
TeacherOptions of_kind(TeacherKind kind) {
  TeacherOptions options;
  options.kind = kind;
  if (kind == TeacherKind::kDinoV3) {
    options.registers = 4;
    options.norm_epsilon = 1e-5;
  } else if (kind == TeacherKind::kClip) {
    options.norm_epsilon = 1e-5;
    options.gelu = encoder::Gelu::kQuick;
    options.mean = {0.48145466, 0.4578275, 0.40821073};
    options.stddev = {0.26862954, 0.26130258, 0.27577711};
  } else if (kind == TeacherKind::kSiglip) {
    options.gelu = encoder::Gelu::kTanh;
    options.mean = options.stddev = {0.5, 0.5, 0.5};
  }
  return options;
}

std::string described(const TeacherOptions& options) {
  return fmt::format(
      "{} with {} channels, {} blocks, patches of {} pixels{}", name_of(options.kind), options.dim,
      options.depth, options.stride,
      options.registers > 0 ? fmt::format(" and {} registers", options.registers) : "");
}

}  // namespace fcm::targets
