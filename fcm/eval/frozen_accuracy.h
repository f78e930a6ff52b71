// Accuracy of frozen features with kNN and with a linear probe.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>

#include "fcm/eval/features.h"

namespace fcm::eval {

// Top-1 accuracy in percent, on both kinds of features of a FeatureSet. The values of mean tokens
// are 0 if mean_ND is undefined.
struct FrozenAccuracy {
  double knn_flattened = 0, knn_mean = 0;
  double probe_flattened = 0, probe_mean = 0;
};

// `count_pass`: as in ProbeOptions.
FrozenAccuracy frozen_accuracy(const FeatureSet& train, const FeatureSet& test, int64_t classes,
                               const std::function<void()>& count_pass = {});

}  // namespace fcm::eval
