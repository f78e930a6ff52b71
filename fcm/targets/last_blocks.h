// The mean of the outputs of a network's last blocks, each token normalised first.
#pragma once

#include <ATen/core/Tensor.h>

#include <set>
#include <string>

#include "fcm/nn/observer.h"

namespace fcm::targets {

class LastBlocks {
 public:
  // The last `count` of the blocks "<stem>.0" to "<stem>.<depth - 1>", whose outputs [B, T, D] end
  // with `patches` patches.
  LastBlocks(const std::string& stem, int64_t depth, int64_t count, int64_t patches);

  // Pass this to the network's forward; it must not outlive this object.
  nn::Observer observer();
  at::Tensor mean_BLD() const;

 private:
  std::set<std::string> names_;
  int64_t patches_;
  at::Tensor sum_BLD_;
};

}  // namespace fcm::targets
