// Frozen features of labelled pictures.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

#include "fcm/loader/dataset.h"
#include "fcm/models/masked_autoencoder.h"
#include "fcm/tasks/tasks.h"
#include "fcm/train/recipe.h"

namespace fcm::tasks {

// Of the same pictures, in data set order. float32.
struct FeatureSet {
  at::Tensor flattened_ND;  // tokens of the picture in raster order, one after another
  at::Tensor mean_ND;       // their mean
  at::Tensor labels_N;      // int64
};

// Which pictures of a data set: the first `count` of a keyed order, so that classes are mixed.
struct Selection {
  std::shared_ptr<const loader::Dataset> dataset;
  int64_t count = 0;
};

// The encoder sees whole pictures (one view, all edges); the token of a patch is its latent vector.
FeatureSet extract_features(const models::MaskedAutoencoder& model, const train::Recipe& recipe,
                            const Selection& selection, int64_t threads);

// The pixels themselves, as the network would get them.
FeatureSet raw_features(const train::Recipe& recipe, const Selection& selection, int64_t threads);

// A data set with labels, or Error(kData).
std::shared_ptr<const loader::Dataset> open_labelled(const std::string& data, loader::Split split,
                                                     const Machine& machine);

}  // namespace fcm::tasks
