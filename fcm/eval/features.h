// Frozen features of labelled images.
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

// Features of a set of images, one row per image, in the order of the Selection. float32.
struct FeatureSet {
  at::Tensor flattened_ND;  // all tokens of an image, concatenated in raster order
  at::Tensor mean_ND;       // the mean of an image's tokens
  at::Tensor labels_N;      // int64
};

constexpr int64_t kEverything = std::numeric_limits<int64_t>::max();

// A selection of images of a data set: the first `count` in a fixed pseudo-random order, which
// mixes the classes. If all images are selected, they keep the order of the data set.
struct Selection {
  std::shared_ptr<const loader::Dataset> dataset;
  int64_t count = 0;
  // Each rank processes a slice of the images; every rank gets the FeatureSet of all images, except
  // from raw_features.
  std::shared_ptr<dist::Group> group = dist::group_of_one();
  // Called with 0 when this rank begins, then with the number of images processed since the last
  // call.
  std::function<void(int64_t images)> count_done = {};
};

// Receives the encoder's float32 latents of the next images, with the full plan and patches in
// raster order. `batch` identifies the images.
using TakeFeatures =
    std::function<void(const encoder::Features& features, const loader::Batch& batch)>;

// Calls `take` with the features of the selected images, batch by batch. Unreadable images are
// skipped; in a group, each rank processes its slice. Throws Error(kNumeric), which names the
// image, for non-finite features.
void stream_features(const models::MaskedAutoencoder& model, const recipe::Recipe& recipe,
                     const Selection& selection, int64_t threads, const TakeFeatures& take);

// The features of one batch of `images`, as stream_features passes them to `take`.
encoder::Features features_of(const models::MaskedAutoencoder& model, const recipe::Recipe& recipe,
                              const loader::Dataset& images, const loader::Batch& batch);

// All features at once, for sets that fit into memory. Throws Error(kData) if no image can be read.
FeatureSet extract_features(const models::MaskedAutoencoder& model, const recipe::Recipe& recipe,
                            const Selection& selection, int64_t threads);

// Like extract_features, with mean_ND only; flattened_ND stays undefined.
FeatureSet extract_mean_features(const models::MaskedAutoencoder& model,
                                 const recipe::Recipe& recipe, const Selection& selection,
                                 int64_t threads);

// Pixels as features, scaled to 0..1, at the network's image size; flattened_ND and labels_N are
// defined. In a group, each rank gets only its slice.
FeatureSet raw_features(const recipe::Recipe& recipe, const Selection& selection, int64_t threads);

}  // namespace fcm::eval
