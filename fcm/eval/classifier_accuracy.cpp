#include "fcm/eval/classifier_accuracy.h"

#include <ATen/ATen.h>

#include <limits>

#include "fcm/base/error.h"
#include "fcm/eval/accuracy.h"
#include "fcm/eval/unreadable.h"
#include "fcm/loss/classification.h"
#include "fcm/ops/reference_ops.h"

namespace fcm::eval {
namespace {

// Replaces each row that has a non-finite value by NaN, so that it counts as wrong in top-1 and
// top-5. (The confusion matrix counts it as predicted class 0.)
at::Tensor of_finite_rows(const at::Tensor& logits_BC, int64_t& non_finite_count) {
  const at::Tensor broken_B = logits_BC.isfinite().all(1).logical_not();
  const int64_t count = broken_B.sum().item<int64_t>();
  if (count == 0) return logits_BC;
  non_finite_count += count;
  return logits_BC.masked_fill(broken_B.unsqueeze(1), std::numeric_limits<double>::quiet_NaN());
}

// Replaces this rank's counts by the sums over all ranks.
void add_other_ranks(dist::Group& group, ClassifierAccuracy& mine) {
  if (group.size() == 1) return;
  std::vector<int64_t> counts = mine.confusion;
  counts.push_back(mine.non_finite_count);
  const at::Tensor all = at::tensor(counts, at::kLong);
  const at::Tensor loss = at::full({1}, mine.loss, at::kDouble);
  group.sum(all);
  group.sum(loss);
  const auto* next = all.const_data_ptr<int64_t>();
  for (int64_t& confused : mine.confusion) confused = *next++;
  mine.non_finite_count = *next;
  mine.loss = loss.item<double>();
}

}  // namespace

ClassifierAccuracy classifier_accuracy(const Predict& predict, const recipe::Recipe& recipe,
                                       const std::shared_ptr<const loader::Dataset>& dataset,
                                       int64_t batch_size, int64_t threads, dist::Group& group) {
  const ops::ReferenceOps reference(recipe.debug.reference_ops);
  const auto classes = static_cast<int64_t>(dataset->classes().size());
  loader::EvalLoader batches({.dataset = dataset,
                              .data = recipe.data,
                              .targets = loader::TargetKind::kLabel,
                              .batch_size = batch_size,
                              .threads = threads,
                              .crop_share = recipe.classify().classifier.eval_crop,
                              .slice = {group.rank(), group.size()}});
  AccuracyCount count(-std::numeric_limits<double>::infinity());
  ClassifierAccuracy evaluation;
  evaluation.classes = classes;
  evaluation.confusion.resize(static_cast<size_t>(classes * classes));
  loader::Batch batch;
  std::vector<loader::BadSample> bad;
  const auto next = [&] {
    const bool more = batches.next(batch);
    bad.insert(bad.end(), batch.bad.begin(), batch.bad.end());
    return more;
  };
  while (next()) {
    const std::vector<int64_t>& labels = batch.targets.labels();
    const at::Tensor labels_B = at::tensor(at::ArrayRef<int64_t>(labels), at::kLong);
    const at::Tensor logits_BC = of_finite_rows(predict(batch), evaluation.non_finite_count);
    count.add(logits_BC, labels_B);
    evaluation.loss +=
        loss::cross_entropy(logits_BC, labels_B).item<double>() * static_cast<double>(batch.batch);
    const at::Tensor best_B = logits_BC.argmax(1);
    for (int64_t i = 0; i < batch.batch; ++i) {
      const int64_t truth = labels[static_cast<size_t>(i)];
      const int64_t best = best_B.const_data_ptr<int64_t>()[i];
      ++evaluation.confusion[static_cast<size_t>(truth * classes + best)];
    }
  }
  evaluation.unreadable = reasons_of_all(bad, group);
  add_other_ranks(group, evaluation);
  count.add_other_ranks(group);
  const Accuracy accuracy = count.percent();
  if (accuracy.images == 0) fail(ExitCode::kData, "there is no readable image to measure on");
  evaluation.top1 = accuracy.top1;
  evaluation.top5 = accuracy.top5;
  evaluation.images = accuracy.images;
  evaluation.loss /= static_cast<double>(accuracy.images);
  return evaluation;
}

}  // namespace fcm::eval
