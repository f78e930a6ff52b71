// PyTorch's fused AdamW, one call per parameter group: the optimizer of current PyTorch programs.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "fcm/optim/options.h"

namespace fcm::bench {

class FusedAdamW {
 public:
  explicit FusedAdamW(const optim::OptimOptions& options) : options_(options) {}

  // `values`: leaves that require gradients. Moments start at zero.
  void add_group(std::vector<at::Tensor> values, double lr, double weight_decay);

  // One update with the gradients of all groups, which are undefined afterwards.
  void step();

 private:
  struct Group {
    double lr, weight_decay;
    std::vector<at::Tensor> values, first, second, counts;
  };

  const optim::OptimOptions options_;
  std::vector<Group> groups_;
};

}  // namespace fcm::bench
