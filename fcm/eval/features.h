// Frozen features of labelled pictures.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>

#include "fcm/dist/group.h"
#include "fcm/encoder/features.h"
#include "fcm/loader/dataset.h"
#include "fcm/loader/loader.h"
#include "fcm/models/masked_autoencoder.h"
#include "fcm/recipe/recipe.h"

namespace fcm::eval {

// Of the same pictures, in data set order. float32.
struct FeatureSet {
  at::Tensor flattened_ND;  // tokens of the picture in raster order, one after another
  at::Tensor mean_ND;       // their mean
  at::Tensor labels_N;      // int64
};

constexpr int64_t kEverything = std::numeric_limits<int64_t>::max();

// Which pictures of a data set: the first `count` of a keyed order, so that classes are mixed.
struct Selection {
  std::shared_ptr<const loader::Dataset> dataset;
  int64_t count = 0;
  // Each rank runs over a slice; a FeatureSet holds the pictures of all of them, in every rank.
  std::shared_ptr<dist::Group> group = dist::group_of_one();
  // Is told 0 when this rank begins, and then how many pictures it has done with since.
  std::function<void(int64_t pictures)> count_done = {};
};

// What the encoder makes of the next pictures (one view, all edges): the latent vectors of their
// patches in raster order, in float32; `batch` says which pictures they are.
using TakeFeatures =
    std::function<void(const encoder::Features& features, const loader::Batch& batch)>;

// Pictures that cannot be read are left out. Of several ranks each sees its slice. Throws
// Error(kNumeric) that names the picture whose features are not finite.
void stream_features(const models::MaskedAutoencoder& model, const recipe::Recipe& recipe,
                     const Selection& selection, int64_t threads, const TakeFeatures& take);

// What stream_features gives of one batch of `pictures`, in their order.
encoder::Features features_of(const models::MaskedAutoencoder& model, const recipe::Recipe& recipe,
                              const loader::Dataset& pictures, const loader::Batch& batch);

// All of them at once: for as many as fit into memory. Throws Error(kData) where none can be read.
FeatureSet extract_features(const models::MaskedAutoencoder& model, const recipe::Recipe& recipe,
                            const Selection& selection, int64_t threads);

// The same of mean tokens alone; flattened_ND stays undefined.
FeatureSet extract_mean_features(const models::MaskedAutoencoder& model,
                                 const recipe::Recipe& recipe, const Selection& selection,
                                 int64_t threads);

// The pixels themselves, as the network would get them.
FeatureSet raw_features(const recipe::Recipe& recipe, const Selection& selection, int64_t threads);

}  // namespace fcm::eval
