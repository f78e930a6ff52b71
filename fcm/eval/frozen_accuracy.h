// Accuracy of frozen features by nearest neighbours and by a linear probe.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>

#include "fcm/eval/features.h"

namespace fcm::eval {

// Top-1 in percent, for both kinds of features.
struct FrozenAccuracy {
  double knn_flattened = 0, knn_mean = 0;
  double probe_flattened = 0, probe_mean = 0;
};

// `count_pass` as in ProbeOptions.
FrozenAccuracy frozen_accuracy(const FeatureSet& train, const FeatureSet& test, int64_t classes,
                               const std::function<void()>& count_pass = {});

}  // namespace fcm::eval
