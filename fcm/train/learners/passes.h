// Shared by learners whose batch normalisation uses the statistics of a pass.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "fcm/nn/parameters.h"

namespace fcm::train {

// Forward and backward passes of a step, over about `micro_batch` images each. The number is the
// same in every rank, because batch normalisation synchronises the ranks, and each rank has at
// least one image in every pass. A rank divides its images evenly (loader::Slice).
int64_t passes_of_update(int64_t batch, int64_t ranks, int64_t micro_batch);

// A copy of the running statistics, which a pass updates before it is known whether the step is
// applied.
class KeptStatistics {
 public:
  explicit KeptStatistics(const nn::Parameters& parameters);
  void put_back();

 private:
  std::vector<std::pair<at::Tensor, at::Tensor>> kept_;  // tensor, its value before the step
};

}  // namespace fcm::train
