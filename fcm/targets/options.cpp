#include "fcm/targets/options.h"

#include <algorithm>

#include "fcm/base/error.h"

namespace fcm::targets {

std::vector<std::string> TargetOptions::reconstructed() const {
  std::vector<std::string> names;
  for (const char* name : {"rgb", "clip", "dino", "ema"}) {
    if (weight(name) > 0) names.emplace_back(name);
  }
  return names;
}

std::vector<std::string> TargetOptions::features() const {
  std::vector<std::string> names = reconstructed();
  std::erase(names, "rgb");
  if (mimic != "none" && std::find(names.begin(), names.end(), mimic) == names.end()) {
    names.push_back(mimic);
  }
  return names;
}

double TargetOptions::weight(const std::string& name) const {
  if (name == "rgb") return rgb;
  if (name == "clip") return clip;
  if (name == "dino") return dino;
  if (name == "ema") return ema;
  require(name == "mimic", "target \"{}\", wanted rgb, clip, dino, ema or mimic", name);
  return mimic_weight;
}

namespace {

// Sizes of the published towers: DINO's vision_transformer.py, CLIP's model cards.
TeacherOptions named_tower(TeacherKind kind, const std::string& size) {
  TeacherOptions tower;
  tower.kind = kind;
  if (size == "vit_l14") {
    tower.stride = 14;
    tower.dim = 1024;
    tower.depth = 24;
    tower.heads = 16;
    tower.projected_dim = 768;
  } else if (size == "vit_s16") {
    tower.dim = 384;
    tower.heads = 6;
  } else if (size == "tiny") {
    tower.stride = 8;
    tower.dim = 32;
    tower.depth = 2;
    tower.heads = 2;
    tower.mlp_ratio = 2;
    tower.projected_dim = 16;
  } else {
    require(size == "vit_b16", "tower \"{}\", wanted vit_b16, vit_s16, vit_l14 or tiny", size);
  }
  return tower;
}

}  // namespace

TeacherOptions tower_options(const TargetOptions& options, const std::string& name, int64_t rows,
                             int64_t cols) {
  const bool clip = name == "clip";
  TeacherOptions tower = named_tower(clip ? TeacherKind::kClip : TeacherKind::kDino,
                                     clip ? options.clip_tower : options.dino_tower);
  tower.rows = rows * tower.stride;
  tower.cols = cols * tower.stride;
  return tower;
}

Feature tower_feature(const TargetOptions& options, const std::string& name) {
  if (name == "dino") return Feature::kNormed;
  if (options.clip_feature == "tokens") return Feature::kTokens;
  return options.clip_feature == "normed" ? Feature::kNormed : Feature::kProjected;
}

int64_t feature_dim(const TargetOptions& options, const std::string& name, int64_t encoder_dim) {
  if (name == "ema") return encoder_dim;
  const TeacherOptions tower = tower_options(options, name, 1, 1);
  return tower_feature(options, name) == Feature::kProjected ? tower.projected_dim : tower.dim;
}

}  // namespace fcm::targets
