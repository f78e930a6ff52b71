// Metrics of a classifier on a data set.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "fcm/dist/group.h"
#include "fcm/loader/dataset.h"
#include "fcm/loader/loader.h"
#include "fcm/recipe/recipe.h"

namespace fcm::eval {

// Computes logits [B, classes], float32 on the CPU, from a batch of images as it was loaded.
using Predict = std::function<at::Tensor(const loader::Batch&)>;

struct ClassifierAccuracy {
  double top1 = 0, top5 = 0;            // percent
  double loss = 0;                      // mean cross-entropy
  int64_t images = 0;                   // number of measured images
  std::vector<std::string> unreadable;  // why images were left out, with their names
  int64_t non_finite_count = 0;         // with NaN or inf logits; count as wrong, make the loss NaN
  int64_t classes = 0;
  std::vector<int64_t> confusion;  // [classes, classes]: counts by true class, then prediction
};

// Measures every readable image exactly once, in order; counts do not depend on `batch_size`.
// Throws Error(kData) if no image can be read. Each rank of a group measures its slice, and all
// ranks get the result for the whole set.
ClassifierAccuracy classifier_accuracy(const Predict& predict, const recipe::Recipe& recipe,
                                       const std::shared_ptr<const loader::Dataset>& dataset,
                                       int64_t batch_size, int64_t threads,
                                       dist::Group& group = *dist::group_of_one());

}  // namespace fcm::eval
