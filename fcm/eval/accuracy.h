// Top-1 and top-5 accuracy from one score per class; validation of feature matrices.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "fcm/dist/group.h"

namespace fcm::eval {

struct Accuracy {
  double top1 = 0;  // percent
  double top5 = 0;  // percent
  int64_t images = 0;
};

// Counts correct predictions, batch by batch. Classes are ranked by score; ties go to the lower
// class index.
class AccuracyCount {
 public:
  // A prediction is never correct if the label's score is at most `floor`. kNN uses 0: a class
  // without votes is not predicted.
  explicit AccuracyCount(double floor);

  void add(const at::Tensor& scores_MC, const at::Tensor& labels_M);  // labels int64
  void add_other_ranks(dist::Group& group);                           // adds their counts
  Accuracy percent() const;

 private:
  double floor_;
  int64_t first_ = 0;  // images whose label is the top-1 class
  int64_t five_ = 0;   // images whose label is among the top-5 classes
  int64_t images_ = 0;
};

// Throws Error(kData) unless features are a non-empty [N, D] and there are N labels from 0 to
// classes - 1; Error(kNumeric) unless all features are finite. `what` names the features in
// messages, for example "training".
void check_features(const at::Tensor& features_ND, const at::Tensor& labels_N, int64_t classes,
                    const char* what);

}  // namespace fcm::eval
