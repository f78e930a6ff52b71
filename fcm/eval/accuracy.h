// Top-1 and top-5 accuracy from one score a class, and what features must be to be measured.
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

// Counts right answers, batch after batch. A class outranks another by a higher score, or by a
// lower number where scores are equal.
class AccuracyCount {
 public:
  // floor: a label whose score is not above it is never right (kNN: a class without votes).
  explicit AccuracyCount(double floor);

  void add(const at::Tensor& scores_MC, const at::Tensor& labels_M);  // labels int64
  void add_other_ranks(dist::Group& group);                           // what each of them counted
  Accuracy percent() const;

 private:
  double floor_;
  int64_t first_ = 0;  // right at the first place
  int64_t five_ = 0;   // right among the first five
  int64_t images_ = 0;
};

// Throws Error(kData) unless features are a non-empty [N, D] and labels N classes below `classes`,
// Error(kNumeric) unless all features are finite. `what` names them in the message: "training".
void check_features(const at::Tensor& features_ND, const at::Tensor& labels_N, int64_t classes,
                    const char* what);

}  // namespace fcm::eval
