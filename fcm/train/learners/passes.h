// What learners share whose batch normalisation takes its statistics from the images of a pass.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "fcm/nn/parameters.h"

namespace fcm::train {

// Forward and backward passes of an update in each of `ranks`, over about `micro_batch` images:
// as many in every rank, since batch normalisation waits for all of them, and one image of each
// rank in a pass at least. A rank divides its images evenly (loader::Slice).
int64_t passes_of_update(int64_t batch, int64_t ranks, int64_t micro_batch);

// Running statistics, which a pass moves before anybody knows whether its update can be applied.
class KeptStatistics {
 public:
  explicit KeptStatistics(const nn::Parameters& parameters);
  void put_back();

 private:
  std::vector<std::pair<at::Tensor, at::Tensor>> kept_;  // a value, and what it was
};

}  // namespace fcm::train
