#include "fcm/targets/options.h"

#include <algorithm>
#include <array>

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
  require(name == "mimic", "expected target rgb, clip, dino, ema or mimic, got \"{}\"", name);
  return mimic_weight;
}

namespace {

constexpr TeacherKind kDino = TeacherKind::kDino, kDinoV2 = TeacherKind::kDinoV2,
                      kDinoV3 = TeacherKind::kDinoV3, kClip = TeacherKind::kClip,
                      kSiglip = TeacherKind::kSiglip;

struct NamedTower {
  const char* name;
  TeacherKind kind;
  int64_t stride, dim, depth, heads;
  double mlp_ratio = 4;
  int64_t registers = 0, projected_dim = 0;
};

// Upstream sizes: vision_transformer.py of dino, dinov2 and dinov3, CLIP's model cards and
// open_clip's model_configs, transformers' configurations of SigLIP (so400m's MLPs are 4304 wide).
// Towers with "tiny" in their names are this project's own.
constexpr std::array kTowers = {
    NamedTower{"vit_b16", kDino, 16, 768, 12, 12},
    NamedTower{"vit_s16", kDino, 16, 384, 12, 6},
    NamedTower{"dinov2_s14", kDinoV2, 14, 384, 12, 6},
    NamedTower{"dinov2_b14", kDinoV2, 14, 768, 12, 12},
    NamedTower{"dinov2_l14", kDinoV2, 14, 1024, 24, 16},
    NamedTower{"dinov2_s14_reg", kDinoV2, 14, 384, 12, 6, 4, 4},
    NamedTower{"dinov2_b14_reg", kDinoV2, 14, 768, 12, 12, 4, 4},
    NamedTower{"dinov2_l14_reg", kDinoV2, 14, 1024, 24, 16, 4, 4},
    NamedTower{"dinov3_s16", kDinoV3, 16, 384, 12, 6, 4, 4},
    NamedTower{"dinov3_b16", kDinoV3, 16, 768, 12, 12, 4, 4},
    NamedTower{"dinov3_l16", kDinoV3, 16, 1024, 24, 16, 4, 4},
    NamedTower{"tiny", kDino, 8, 32, 2, 2, 2},
    NamedTower{"dinov2_tiny", kDinoV2, 8, 32, 2, 2, 2},
    NamedTower{"dinov2_tiny_reg", kDinoV2, 8, 32, 2, 2, 2, 4},
    NamedTower{"dinov3_tiny", kDinoV3, 8, 32, 2, 2, 2, 4},
    NamedTower{"vit_b16", kClip, 16, 768, 12, 12, 4, 0, 512},
    NamedTower{"vit_b32", kClip, 32, 768, 12, 12, 4, 0, 512},
    NamedTower{"vit_l14", kClip, 14, 1024, 24, 16, 4, 0, 768},
    NamedTower{"vit_h14", kClip, 14, 1280, 32, 16, 4, 0, 1024},
    NamedTower{"siglip_b16", kSiglip, 16, 768, 12, 12},
    NamedTower{"siglip_l16", kSiglip, 16, 1024, 24, 16},
    NamedTower{"siglip_so400m14", kSiglip, 14, 1152, 27, 16, 3.7362},
    NamedTower{"tiny", kClip, 8, 32, 2, 2, 2, 0, 16},
    NamedTower{"siglip_tiny", kSiglip, 8, 32, 2, 2, 2},
};

const std::string& tower_name(const TargetOptions& options, const std::string& target) {
  return target == "clip" ? options.clip_tower : options.dino_tower;
}

const NamedTower& named_tower(const TargetOptions& options, const std::string& target) {
  const std::string& name = tower_name(options, target);
  const auto found = std::find_if(kTowers.begin(), kTowers.end(), [&](const NamedTower& one) {
    return name == one.name && target == target_of(one.kind);
  });
  require(found != kTowers.end(), "expected a tower of tower_names, got \"{}\" of {}", name,
          target);
  return *found;
}

}  // namespace

std::vector<std::string> tower_names(const std::string& target) {
  std::vector<std::string> names;
  for (const NamedTower& one : kTowers) {
    if (target == target_of(one.kind)) names.emplace_back(one.name);
  }
  return names;
}

bool is_random_tower(const TargetOptions& options, const std::string& target) {
  return tower_name(options, target).find("tiny") != std::string::npos;
}

std::string name_of_size(const TeacherOptions& tower) {
  const auto found = std::find_if(kTowers.begin(), kTowers.end(), [&](const NamedTower& one) {
    return one.kind == tower.kind && one.stride == tower.stride && one.dim == tower.dim &&
           one.depth == tower.depth && one.registers == tower.registers;
  });
  return found == kTowers.end() ? "" : found->name;
}

TeacherOptions tower_options(const TargetOptions& options, const std::string& target, int64_t rows,
                             int64_t cols) {
  const NamedTower& named = named_tower(options, target);
  TeacherOptions tower = of_kind(named.kind);
  tower.stride = named.stride;
  tower.dim = named.dim;
  tower.depth = named.depth;
  tower.heads = named.heads;
  tower.mlp_ratio = named.mlp_ratio;
  tower.registers = named.registers;
  if (tower_feature(options, target) == Feature::kProjected) {
    tower.projected_dim = named.projected_dim;
  }
  tower.rows = rows * tower.stride;
  tower.cols = cols * tower.stride;
  return tower;
}

Feature tower_feature(const TargetOptions& options, const std::string& target) {
  if (target == "dino") return Feature::kNormed;
  if (options.clip_feature == "projected") return Feature::kProjected;
  // SigLIP's pooling reads the tokens after the last norm, so these are its features.
  const bool siglip = named_tower(options, target).kind == TeacherKind::kSiglip;
  return siglip || options.clip_feature == "normed" ? Feature::kNormed : Feature::kTokens;
}

int64_t feature_dim(const TargetOptions& options, const std::string& name, int64_t encoder_dim) {
  if (name == "ema") return encoder_dim;
  const TeacherOptions tower = tower_options(options, name, 1, 1);
  return tower_feature(options, name) == Feature::kProjected ? tower.projected_dim : tower.dim;
}

}  // namespace fcm::targets
