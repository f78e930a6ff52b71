// What a classifier gets right.
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

// Logits [B, classes], float32, on the CPU, of a batch of pictures as it was loaded.
using Predict = std::function<at::Tensor(const loader::Batch&)>;

struct ClassifierAccuracy {
  double top1 = 0, top5 = 0;            // percent
  double loss = 0;                      // mean cross-entropy
  int64_t images = 0;                   // measured
  std::vector<std::string> unreadable;  // those left out: why, with their names
  int64_t not_finite = 0;  // with answers that are not all finite: wrong, and the loss is NaN
  int64_t classes = 0;
  std::vector<int64_t> confusion;  // [classes, classes]: true class, prediction
};

// Every readable picture once, in their order, none twice: the same counts with any `batch_size`.
// Throws Error(kData) where no picture can be read. Each rank of a group measures its slice, and
// all have the result of the whole.
ClassifierAccuracy classifier_accuracy(const Predict& predict, const recipe::Recipe& recipe,
                                       const std::shared_ptr<const loader::Dataset>& dataset,
                                       int64_t batch_size, int64_t threads,
                                       dist::Group& group = *dist::group_of_one());

}  // namespace fcm::eval
