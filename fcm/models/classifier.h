// The model of fine-tuning and linear probing: an encoder that sees every patch, one vector a
// picture, a linear head. Source: ConvMAE's models_convvit.py, MAE's models_vit.py.
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
  int64_t rows = 224, cols = 224;  // of the picture
  int64_t channels = 3;
  int64_t classes = 1000;
  // The published global_pool. On: the mean of all patch tokens, then fc_norm (Swin: norm, then the
  // mean). Off: norm, then one token: the class token of a ViT, else the top left patch.
  bool mean_pool = true;
  // Positions are trained in fine-tuning. Probing trains a head of its own (heads::BatchNormProbe).
  bool trainable_positions = true;
  double drop_path = 0;  // drop probability of the last block, nn::drop_path_rates
};

// Parameters have the published names in the published order (the head comes before fc_norm) and
// are held as in a MaskedAutoencoder. The head starts as for fine-tuning, normal of deviation 2e-5;
// everything else starts as in pretraining, to be overwritten by what pretraining learned.
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
  // Which layer a parameter belongs to; head and fc_norm to the last.
  nn::LayerOf layer_of() const { return encoder::layer_of(options_.kind, options_.encoder); }

  heads::Pool pool() const;

  // Which branches a training pass leaves out for these pictures, on the model's device; nothing at
  // rate 0.
  nn::DropPath draw_drop_path(uint64_t seed, uint64_t epoch,
                              std::span<const int64_t> sample_ids) const;

  // What the head takes: [B, C], float32 at least. pixels [B, L, P, D] in the order of
  // masks::full_plan, which the plan must be; the encoder runs in `compute`, pooling and what
  // follows it in float32 at least. The observer sees the encoder (encoder/encoder.h), and
  // "fc_norm" [B, C].
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
