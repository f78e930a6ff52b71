#include "fcm/eval/accuracy.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "fcm/base/error.h"

namespace fcm::eval {
namespace {

bool all_finite(const at::Tensor& features_ND) {
  constexpr int64_t kRows = 4096;  // per block; bounds the memory of block - block
  for (int64_t row = 0; row < features_ND.size(0); row += kRows) {
    const at::Tensor block = features_ND.narrow(0, row, std::min(kRows, features_ND.size(0) - row));
    // x - x is 0 exactly if x is finite; a sum of x itself could overflow.
    if ((block - block).sum().item<double>() != 0) return false;
  }
  return true;
}

}  // namespace

AccuracyCount::AccuracyCount(double floor) : floor_(floor) {}

void AccuracyCount::add(const at::Tensor& scores_MC, const at::Tensor& labels_M) {
  const at::Tensor column_M1 = labels_M.unsqueeze(1);
  const at::Tensor own_M1 = scores_MC.gather(1, column_M1);
  const at::Tensor tied_before =
      (scores_MC == own_M1).logical_and(at::arange(scores_MC.size(1)) < column_M1);
  const at::Tensor ahead_M = (scores_MC > own_M1).logical_or(tied_before).sum(1);
  const at::Tensor counts_M = (own_M1 > floor_).squeeze(1);
  const auto right_within = [&](int64_t places) {
    return (ahead_M < places).logical_and(counts_M).sum().item<int64_t>();
  };
  first_ += right_within(1);
  five_ += right_within(5);
  images_ += labels_M.size(0);
}

void AccuracyCount::add_other_ranks(dist::Group& group) {
  for (int64_t* count : {&first_, &five_, &images_}) {
    *count = group.agree(*count, dist::Agree::kSum);
  }
}

Accuracy AccuracyCount::percent() const {
  const auto share = [this](int64_t right) {
    return images_ == 0 ? 0.0 : 100.0 * static_cast<double>(right) / static_cast<double>(images_);
  };
  return {share(first_), share(five_), images_};
}

void check_features(const at::Tensor& features_ND, const at::Tensor& labels_N, int64_t classes,
                    const char* what) {
  require(features_ND.dim() == 2 && features_ND.is_floating_point(),
          "{} features: expected a floating-point matrix [N, D], got {} dimensions of {}", what,
          features_ND.dim(), at::toString(features_ND.scalar_type()));
  require(labels_N.dim() == 1 && labels_N.scalar_type() == at::kLong,
          "{} labels: expected a vector [N] of int64, got {} dimensions of {}", what,
          labels_N.dim(), at::toString(labels_N.scalar_type()));
  if (features_ND.numel() == 0) {
    fail(ExitCode::kData, "there are no {} features; check that the data set has such images",
         what);
  }
  if (features_ND.size(0) != labels_N.size(0)) {
    fail(ExitCode::kData, "{} {} features have {} labels; every image needs one",
         features_ND.size(0), what, labels_N.size(0));
  }
  const int64_t lowest = labels_N.min().item<int64_t>();
  const int64_t highest = labels_N.max().item<int64_t>();
  if (lowest < 0 || highest >= classes) {
    fail(ExitCode::kData,
         "a {} label is {}, but the classes are 0 to {}; check that training and test images "
         "have the same classes",
         what, lowest < 0 ? lowest : highest, classes - 1);
  }
  if (!all_finite(features_ND)) {
    fail(ExitCode::kNumeric,
         "{} features hold NaN or infinity; check the checkpoint they come from", what);
  }
}

}  // namespace fcm::eval
