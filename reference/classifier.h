// The upstream classifiers (ConvMAE's models_convvit.py, MAE's models_vit.py) of fine-tuning and
// linear probing, in plain tensor calls.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "fcm/nn/drop_path.h"
#include "fcm/nn/observer.h"
#include "reference/reference.h"

namespace fcm::reference {

struct ClassifierOptions : EncoderSizes {
  int64_t classes = 1000;
  // Upstream's global_pool. On: the mean of all patch tokens, then fc_norm. Off: norm, then one
  // token: the class token of a ViT, the top left patch of a ConvViT.
  bool mean_pool = true;
  at::ScalarType compute = at::kFloat;  // like ReferenceOptions::compute
};

struct ClassifierResult {
  at::Tensor features_BD;  // the input of the head
  at::Tensor logits_BC;
};

// images_BCHW: normalised pixels, floating-point. No patches are hidden. The observer gets what
// Layers passes to it (layers.h). Throws Error(kUsage) if images do not divide into patches,
// Error(kCheckpoint) for a missing weight.
ClassifierResult classify(const Weights& weights, const ClassifierOptions& options,
                          const at::Tensor& images_BCHW, const nn::DropPath& drop_path = {},
                          const nn::Observer& observer = {});

// The upstream state_dict in its order (the head before fc_norm); all of it is trainable.
NamesAndShapes classifier_names_and_shapes(const ClassifierOptions& options);

}  // namespace fcm::reference
