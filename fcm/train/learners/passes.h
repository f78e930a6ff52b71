// Helpers of learners whose models have batch normalisation, with the statistics of one pass. A
// pass is one forward and backward over a part of the batch, in all ranks.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "fcm/nn/parameters.h"

namespace fcm::train {

// The number of passes of a step, each over about `micro_batch` images per rank. It is the same in
// every rank, because batch normalisation synchronises the ranks, and each rank has at least one
// image in every pass. A rank divides its images evenly among the passes (loader::Slice).
int64_t passes_of_update(int64_t batch, int64_t ranks, int64_t micro_batch);

// A copy of the running statistics from before a step. Each pass updates the statistics. Call
// restore() if the step turns out to be non-finite and is skipped.
class SavedStatistics {
 public:
  explicit SavedStatistics(const nn::Parameters& parameters);
  void restore();

 private:
  std::vector<std::pair<at::Tensor, at::Tensor>> kept_;  // tensor, its value before the step
};

}  // namespace fcm::train
