// The pretraining model: patches, encoder, decoder, loss. With a ConvViT as encoder it is Fast
// ConvMAE (the plan keeps all views) or ConvMAE (it keeps one), likewise with a ViT Fast MAE or
// MAE. With a Swin it is GreenMIM, or SimMIM if the decoder is linear.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fcm/decoder/decoder.h"
#include "fcm/decoder/options.h"
#include "fcm/encoder/encoder.h"
#include "fcm/encoder/options.h"
#include "fcm/masks/view_plan.h"
#include "fcm/nn/cost.h"
#include "fcm/nn/observer.h"
#include "fcm/nn/parameters.h"
#include "fcm/ops/patches.h"
#include "fcm/ops/patchify/op.h"
#include "fcm/targets/features.h"
#include "fcm/targets/options.h"

namespace fcm::models {

struct AutoencoderOptions {
  std::string kind = encoder::kDefaultKind;
  encoder::EncoderOptions encoder;
  decoder::DecoderOptions decoder;
  targets::TargetOptions targets;
  int64_t rows = 224, cols = 224;  // of the image, in pixels
  int64_t channels = 3;
};

// The cost of encoder and decoder for one image, without the mimic loss's linear layer. Reads only
// `sizes`, `kept` and `grid` of the plan.
nn::Cost cost(const AutoencoderOptions& options, const masks::ViewPlan& plan);

// Initial values are drawn with `seed`. `held`: the dtype of the parameters (float32, or float64
// for checks) and the device of the model, on which all inputs must be.
class MaskedAutoencoder {
 public:
  MaskedAutoencoder(const AutoencoderOptions& options, uint64_t seed,
                    const at::TensorOptions& held = at::kFloat);

  masks::Grid grid() const { return grid_; }
  const ops::PatchGeometry& geometry() const { return geometry_; }
  const AutoencoderOptions& options() const { return options_; }
  nn::Parameters& parameters() { return *parameters_; }
  const nn::Parameters& parameters() const { return *parameters_; }
  at::Device device() const { return parameters_->device(); }

  struct Result {
    // Weighted sum of the targets' losses. Each is a mean over (image, view, predicted hidden
    // patch); that of "mimic" is a mean over (image, visible patch).
    at::Tensor loss;
    // The losses without their weights: the decoder's targets in their order, then "mimic".
    std::vector<std::pair<std::string, at::Tensor>> losses;
    encoder::Features features;
    decoder::Reconstruction reconstruction;
  };
  // pixels [B, L, P, D] in plan order (ops::patchify), float32 or float64. Encoder and decoder run
  // in `compute` (float32, float64, bfloat16), targets and loss in the dtype of the pixels. The
  // observer sees intermediate results of encoder and decoder (encoder/encoder.h, decoder.h).
  // `features`: the teachers' features, one entry for each of options().targets.features().
  Result forward(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan, at::ScalarType compute,
                 const nn::Observer& observer = {}, const targets::Features& features = {}) const;

  // forward is encode, then reconstruct.
  encoder::Features encode(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan,
                           at::ScalarType compute, const nn::Observer& observer = {}) const;
  Result reconstruct(const encoder::Features& features, const at::Tensor& pixels_BLPD,
                     const masks::ViewPlan& plan, const nn::Observer& observer = {},
                     const targets::Features& wanted = {}) const;

 private:
  at::Tensor target_loss(const std::string& name, size_t output,
                         const decoder::Reconstruction& reconstruction,
                         const at::Tensor& pixels_BLPD, const targets::Features& wanted) const;
  at::Tensor mimic_loss(const at::Tensor& latent_BKC, const targets::Features& wanted) const;

  AutoencoderOptions options_;
  ops::PatchGeometry geometry_;
  masks::Grid grid_;
  std::unique_ptr<nn::Parameters> parameters_;
  std::unique_ptr<encoder::Encoder> encoder_;
  std::unique_ptr<decoder::Decoder> decoder_;
  std::optional<nn::LayerNorm> mimic_norm_;
  std::optional<nn::Linear> mimic_pred_;
};

}  // namespace fcm::models
