// The mean over the last blocks of a network of what each leaves, every token normalised first.
#pragma once

#include <ATen/core/Tensor.h>

#include <set>
#include <string>

#include "fcm/nn/observer.h"

namespace fcm::targets {

class LastBlocks {
 public:
  // Of blocks "<stem>.0" to "<stem>.<depth - 1>", whose results [B, T, D] end in `patches` patches.
  LastBlocks(const std::string& stem, int64_t depth, int64_t count, int64_t patches);

  // To be shown the network's results; must not outlive this object.
  nn::Observer observer();
  at::Tensor mean_BLD() const;

 private:
  std::set<std::string> names_;
  int64_t patches_;
  at::Tensor sum_BLD_;
};

}  // namespace fcm::targets
