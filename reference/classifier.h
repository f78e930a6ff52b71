// The published classifiers (ConvMAE's models_convvit.py, MAE's models_vit.py), which fine-tuning
// and linear probing train, in plain tensor calls.
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
  // The published global_pool. On: the mean of all patch tokens, then fc_norm. Off: norm, then one
  // token: the class token of a ViT, the top left patch of a ConvViT.
  bool mean_pool = true;
  at::ScalarType compute = at::kFloat;  // as in ReferenceOptions
};

struct ClassifierResult {
  at::Tensor features_BD;  // what the head takes
  at::Tensor logits_BC;
};

// images_BCHW: normalised pixels, floating. All patches are seen. The observer gets what each
// published module returns. Throws Error(kUsage) for images that do not divide into patches,
// Error(kCheckpoint) for a weight that is missing.
ClassifierResult classify(const Weights& weights, const ClassifierOptions& options,
                          const at::Tensor& images_BCHW, const nn::DropPath& drop_path = {},
                          const nn::Observer& observer = {});

// The published state_dict, all of it trainable, in its order: the head comes before fc_norm.
NamesAndShapes classifier_names_and_shapes(const ClassifierOptions& options);

}  // namespace fcm::reference
