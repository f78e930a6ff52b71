// What programs on PyTorch update with today: its fused AdamW, a call for each group of parameters.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "fcm/optim/options.h"

namespace fcm::bench {

class FusedAdamW {
 public:
  explicit FusedAdamW(const optim::OptimOptions& options) : options_(options) {}

  // Leaves that ask for gradients; moments start at zero.
  void add_group(std::vector<at::Tensor> values, double lr, double weight_decay);

  // An update by the gradients of all groups, which are undefined behind it.
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
