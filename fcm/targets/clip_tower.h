// CLIP's image tower (clip/model.py VisionTransformer of openai/CLIP), on patches in any order.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

#include "fcm/masks/view_plan.h"
#include "fcm/nn/layers.h"
#include "fcm/nn/observer.h"
#include "fcm/targets/teacher_options.h"

namespace fcm::targets {

// Pre-norm block: fused projection of queries, keys and values, QuickGELU. x [B, T, D] -> the same.
class ClipBlock {
 public:
  ClipBlock(const nn::Scope& scope, const TeacherOptions& options);
  at::Tensor operator()(const at::Tensor& x_BTD) const;

 private:
  int64_t heads_;
  at::Tensor in_weight_, in_bias_;
  nn::Linear out_;
  nn::LayerNorm norm1_;
  nn::Linear fc_, proj_;
  nn::LayerNorm norm2_;
};

// Parameters below "visual", in the published order; all start at zero, to be read from a file.
class ClipTower {
 public:
  ClipTower(const nn::Scope& scope, const TeacherOptions& options, masks::Grid grid);

  // pixels [B, L, 1, stride^2 * channels] of the compute type, normalised as CLIP wants them;
  // order_BL says which patch stands where. [B, L, D], or [B, L, P] projected, in that order. The
  // observer sees "resblocks.0", ... [B, 1 + L, D], the class token first.
  at::Tensor operator()(const at::Tensor& pixels_BLPD, const at::Tensor& order_BL, Feature feature,
                        const nn::Observer& observer = {}) const;

 private:
  at::Tensor class_D_, positions_TD_, projection_DP_, patches_DI_, no_bias_D_;
  std::optional<nn::LayerNorm> norm_before_;
  std::vector<ClipBlock> blocks_;
  std::optional<nn::LayerNorm> norm_after_;
};

}  // namespace fcm::targets
