// Small detector backbones with random parameters.
#pragma once

#include <ATen/ATen.h>

#include <ostream>
#include <string>
#include <vector>

#include "fcm/models/detector_backbone.h"
#include "fcm/ops/patchify/op.h"
#include "reference/reference.h"

namespace fcm::models {

inline constexpr auto kShared = BackboneForm::kSharedTables, kOwn = BackboneForm::kDecomposed;

struct BackboneSetting {
  std::string name, kind;
  BackboneForm form;
  int64_t grid_rows, grid_cols, window;
  std::vector<int64_t> global_blocks;
  double drop_path = 0;
};

inline void PrintTo(const BackboneSetting& setting, std::ostream* out) { *out << setting.name; }

inline DetectorBackboneOptions small_backbone(const BackboneSetting& setting) {
  DetectorBackboneOptions options;
  options.kind = setting.kind;
  options.form = setting.form;
  options.encoder = {"custom", {1, 2, 2}, {8, 12, 16}, {2, 1, 3}, 4, {2, 3, 4}};
  if (setting.kind == "vit") options.encoder = {"custom", {4}, {16}, {8}, 4, {3}};
  options.rows = 4 * setting.grid_rows;
  options.cols = 4 * setting.grid_cols;
  options.window = setting.window;
  options.global_blocks = setting.global_blocks;
  options.drop_path = setting.drop_path;
  return options;
}

// A backbone with random parameters, which the reference can use too.
struct BuiltBackbone {
  explicit BuiltBackbone(const DetectorBackboneOptions& options)
      : parameters(5, at::kDouble), backbone(nn::Scope(parameters) / "bottom_up", options) {
    parameters.flatten();
    at::manual_seed(3);
    const at::NoGradGuard no_grad;
    for (const nn::Parameter& parameter : parameters.all()) {
      at::Tensor value = parameter.value;
      value.add_(at::randn_like(value), 0.1);
    }
  }
  reference::Weights weights() const {
    reference::Weights weights;
    for (const nn::Parameter& parameter : parameters.all()) {
      weights[parameter.name] =
          parameters.published(parameter).clone().requires_grad_(parameter.trainable);
    }
    return weights;
  }
  at::Tensor pixels(const at::Tensor& images_BCHW, const masks::ViewPlan& plan) const {
    return ops::patchify_normalised(images_BCHW, plan.order_BL, backbone.geometry());
  }
  std::vector<at::Tensor> maps(const at::Tensor& images_BCHW,
                               const nn::DropPath& drop_path = {}) const {
    const masks::ViewPlan plan = backbone.plan(images_BCHW.size(0));
    return backbone(pixels(images_BCHW, plan), plan, at::kDouble, drop_path);
  }

  nn::Parameters parameters;
  DetectorBackbone backbone;
};

inline at::Tensor images_for(const DetectorBackboneOptions& options, int64_t batch) {
  at::manual_seed(8);
  return at::randn({batch, options.channels, options.rows, options.cols}, at::kDouble);
}

// Returns the reference's gradient of parameter `name`, with the key part of a qkv bias set to
// exactly 0, as in the fast model: a key bias shifts all scores of a query equally, so its gradient
// is only rounding error in the reference.
inline at::Tensor published_gradient(const std::string& name, const at::Tensor& gradient) {
  if (!name.ends_with("qkv.bias")) return gradient;
  at::Tensor copy = gradient.clone();
  copy.narrow(0, copy.size(0) / 3, copy.size(0) / 3).zero_();
  return copy;
}

}  // namespace fcm::models
