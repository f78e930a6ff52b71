#include "fcm/targets/last_blocks.h"

#include <ATen/ATen.h>

#include "fcm/targets/teacher.h"

namespace fcm::targets {

LastBlocks::LastBlocks(const std::string& stem, int64_t depth, int64_t count, int64_t patches)
    : patches_(patches) {
  for (int64_t block = depth - count; block < depth; ++block) {
    names_.insert(stem + "." + std::to_string(block));
  }
}

nn::Observer LastBlocks::observer() {
  return [this](const std::string& name, const at::Tensor& value_BTD) {
    if (!names_.contains(name)) return;
    const at::Tensor tokens_BLD =
        normalised_tokens(value_BTD.narrow(1, value_BTD.size(1) - patches_, patches_));
    sum_BLD_ = sum_BLD_.defined() ? sum_BLD_ + tokens_BLD : tokens_BLD;
  };
}

at::Tensor LastBlocks::mean_BLD() const { return sum_BLD_ / static_cast<double>(names_.size()); }

}  // namespace fcm::targets
