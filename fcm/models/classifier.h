// The model of fine-tuning and linear probing: an encoder that sees every patch, pooling to one
// vector per image, and a linear head. Source: ConvMAE's models_convvit.py, MAE's models_vit.py.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "fcm/encoder/encoder.h"
#include "fcm/encoder/registry.h"
#include "fcm/heads/linear.h"
#include "fcm/masks/view_plan.h"
#include "fcm/nn/drop_path.h"
#include "fcm/nn/layer.h"
#include "fcm/nn/observer.h"
#include "fcm/nn/parameters.h"
#include "fcm/ops/patches.h"

namespace fcm::models {

struct ClassifierOptions {
  std::string kind = encoder::kDefaultKind;
  encoder::EncoderOptions encoder;
  int64_t rows = 224, cols = 224;  // of the image, in pixels
  int64_t channels = 3;
  int64_t classes = 1000;
  // Upstream's global_pool. True: the mean of all patch tokens, then fc_norm (Swin: norm, then the
  // mean). False: norm, then one token: the class token of a ViT, else the top left patch.
  bool mean_pool = true;
  // True in fine-tuning.
  bool trainable_positions = true;
  double drop_path = 0;  // drop probability of the last block, nn::drop_path_rates
};

// Parameters have the upstream names in the upstream order (the head comes before fc_norm) and are
// stored as in a MaskedAutoencoder. The head is initialised from a normal distribution of std 2e-5
// (Swin: 0.02), everything else as in pretraining (Swin: as in SimMIM), to be overwritten by
// pretrained weights. Linear probing uses features() with its own head (heads::BatchNormProbe).
class Classifier {
 public:
  Classifier(const ClassifierOptions& options, uint64_t seed,
             const at::TensorOptions& held = at::kFloat);

  masks::Grid grid() const { return grid_; }
  const ops::PatchGeometry& geometry() const { return geometry_; }
  const ClassifierOptions& options() const { return options_; }
  at::Device device() const { return parameters_->device(); }
  nn::Parameters& parameters() { return *parameters_; }
  const nn::Parameters& parameters() const { return *parameters_; }
  // The layer of a parameter, for layer decay; head and fc_norm belong to the last layer.
  nn::LayerOf layer_of() const { return encoder::layer_of(options_.kind, options_.encoder); }

  heads::Pool pool() const;

  // Draws which residual branches a training pass drops for these images, on the model's device;
  // empty if drop_path is 0.
  nn::DropPath draw_drop_path(uint64_t seed, uint64_t epoch,
                              std::span<const int64_t> sample_ids) const;

  // pixels [B, L, P, D] in the order of `plan`, which must be masks::full_plan -> the head's input,
  // [B, C]. The encoder runs in `compute`, pooling and everything after it in float32 at least. The
  // observer sees the encoder (encoder/encoder.h), and "fc_norm" [B, C] with Pool::kMeanOfTokens.
  at::Tensor features(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan,
                      at::ScalarType compute, const nn::DropPath& drop_path = {},
                      const nn::Observer& observer = {}) const;

  // Logits [B, classes] of features [B, C].
  at::Tensor classify(const at::Tensor& features_BC) const;

 private:
  ClassifierOptions options_;
  ops::PatchGeometry geometry_;
  masks::Grid grid_;
  std::vector<double> drop_path_rates_;  // of every block
  std::unique_ptr<nn::Parameters> parameters_;
  std::unique_ptr<encoder::Encoder> encoder_;
  std::optional<heads::LinearHead> head_;
};

}  // namespace fcm::models
