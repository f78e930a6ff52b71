// Small models of the kinds conv_vit and vit, and options of the reference for the same models.
#pragma once

#include <ATen/ATen.h>

#include <ostream>
#include <string>
#include <vector>

#include "fcm/models/masked_autoencoder.h"
#include "reference/reference.h"

namespace fcm::models {

struct Setting {
  std::string name;
  std::vector<int64_t> strides;  // a single stride means a ViT
  int64_t grid_rows, grid_cols;
  double ratio;
  int64_t kept;  // 0: all views
  bool norm_pix = true;
  int64_t channels = 3;
};

inline void PrintTo(const Setting& setting, std::ostream* out) { *out << setting.name; }

inline AutoencoderOptions small_options(const Setting& setting) {
  const ops::PatchGeometry geometry{setting.strides};
  AutoencoderOptions options;
  if (setting.strides.size() == 1) {
    options.kind = "vit";
    options.encoder = {"custom", setting.strides, {16}, {2}, 4, {3}};
  } else {
    options.encoder = {"custom", setting.strides, {8, 12, 16}, {2, 1, 2}, 4, {2, 3, 4}};
  }
  options.decoder = {16, 2, 2, 4.0};
  options.targets.norm_pix = setting.norm_pix;
  options.rows = setting.grid_rows * geometry.patch_side();
  options.cols = setting.grid_cols * geometry.patch_side();
  options.channels = setting.channels;
  return options;
}

inline reference::ReferenceOptions reference_options(const AutoencoderOptions& options) {
  reference::ReferenceOptions same;
  static_cast<reference::EncoderSizes&>(same) = reference::encoder_sizes(options);
  same.decoder_dim = options.decoder.dim;
  same.decoder_depth = options.decoder.depth;
  same.decoder_heads = options.decoder.heads;
  same.decoder_mlp_ratio = options.decoder.mlp_ratio;
  same.norm_pix = options.targets.norm_pix;
  same.variance_epsilon = options.targets.variance_epsilon;
  same.compute = at::kDouble;
  return same;
}

// Adds noise to the parameters. Biases and the positions of class tokens start at zero; noise gives
// them an effect.
inline void perturb(MaskedAutoencoder& model) {
  at::NoGradGuard no_grad;
  for (const nn::Parameter& parameter : model.parameters().all()) {
    at::Tensor value = parameter.value;
    value.add_(at::randn_like(value), 0.05);
  }
}

inline reference::Weights published_weights(const MaskedAutoencoder& model) {
  reference::Weights weights;
  for (const nn::Parameter& parameter : model.parameters().all()) {
    at::Tensor value = model.parameters().published(parameter).clone();
    weights[parameter.name] = value.requires_grad_(parameter.trainable);
  }
  return weights;
}

}  // namespace fcm::models
