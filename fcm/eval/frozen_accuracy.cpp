#include "fcm/eval/frozen_accuracy.h"

#include "fcm/eval/knn.h"
#include "fcm/eval/linear_probe.h"

namespace fcm::eval {

FrozenAccuracy frozen_accuracy(const FeatureSet& train, const FeatureSet& test, int64_t classes,
                               const std::function<void()>& count_pass) {
  constexpr KnnOptions kNeighbours{.k = 20};
  const auto neighbours = [&](const at::Tensor& bank, const at::Tensor& queries) {
    return knn(bank, train.labels_N, queries, test.labels_N, classes, kNeighbours).top1;
  };
  const auto probe = [&](const at::Tensor& fitted, const at::Tensor& measured) {
    return linear_probe(fitted, train.labels_N, measured, test.labels_N, classes,
                        {.count_pass = count_pass})
        .top1;
  };
  FrozenAccuracy accuracy;
  accuracy.knn_flattened = neighbours(train.flattened_ND, test.flattened_ND);
  accuracy.probe_flattened = probe(train.flattened_ND, test.flattened_ND);
  if (train.mean_ND.defined()) {
    accuracy.knn_mean = neighbours(train.mean_ND, test.mean_ND);
    accuracy.probe_mean = probe(train.mean_ND, test.mean_ND);
  }
  return accuracy;
}

}  // namespace fcm::eval
