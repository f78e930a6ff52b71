#include "fcm/train/learners/passes.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "fcm/base/error.h"

namespace fcm::train {

int64_t passes_of_update(int64_t batch, int64_t ranks, int64_t micro_batch) {
  require(
      ranks > 0 && batch >= ranks && micro_batch > 0,
      "expected at least one image per rank and a micro-batch, got {} images, {} ranks, {} a pass",
      batch, ranks, micro_batch);
  const int64_t most = (batch + ranks - 1) / ranks, fewest = batch / ranks;  // images per rank
  return std::min((most + micro_batch - 1) / micro_batch, fewest);
}

SavedStatistics::SavedStatistics(const nn::Parameters& parameters) {
  for (const nn::Parameter& parameter : parameters.all()) {
    if (!parameter.trainable) kept_.emplace_back(parameter.value, parameter.value.clone());
  }
}

void SavedStatistics::restore() {
  for (auto& [value, before] : kept_) value.copy_(before);
}

}  // namespace fcm::train
