#include "fcm/tasks/measure.h"

#include "fcm/heads/knn.h"
#include "fcm/heads/linear_probe.h"

namespace fcm::tasks {

Accuracy measure(const FeatureSet& train, const FeatureSet& test, int64_t classes) {
  constexpr heads::KnnOptions kNeighbours{.k = 20};
  const auto knn = [&](const at::Tensor& bank, const at::Tensor& queries) {
    return heads::knn(bank, train.labels_N, queries, test.labels_N, classes, kNeighbours).top1;
  };
  const auto probe = [&](const at::Tensor& known, const at::Tensor& asked) {
    return heads::linear_probe(known, train.labels_N, asked, test.labels_N, classes, {}).top1;
  };
  Accuracy accuracy;
  accuracy.knn_flattened = knn(train.flattened_ND, test.flattened_ND);
  accuracy.probe_flattened = probe(train.flattened_ND, test.flattened_ND);
  if (train.mean_ND.defined()) {
    accuracy.knn_mean = knn(train.mean_ND, test.mean_ND);
    accuracy.probe_mean = probe(train.mean_ND, test.mean_ND);
  }
  return accuracy;
}

}  // namespace fcm::tasks
