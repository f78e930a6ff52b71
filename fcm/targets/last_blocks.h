// The mean of the outputs of a network's last blocks; each token is normalised before averaging.
#pragma once

#include <ATen/core/Tensor.h>

#include <set>
#include <string>

#include "fcm/nn/observer.h"

namespace fcm::targets {

class LastBlocks {
 public:
  // Averages the last `count` of the blocks that an observer sees as "<stem>.0" to "<stem>.<depth -
  // 1>". The last `patches` tokens of their outputs [B, T, D] are the patches.
  LastBlocks(const std::string& stem, int64_t depth, int64_t count, int64_t patches);

  // The observer to pass to the network's forward pass; it must not outlive this LastBlocks.
  nn::Observer observer();
  at::Tensor mean_BLD() const;  // call it after the forward pass

 private:
  std::set<std::string> names_;
  int64_t patches_;
  at::Tensor sum_BLD_;
};

}  // namespace fcm::targets
