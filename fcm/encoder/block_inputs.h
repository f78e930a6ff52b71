// Saves the inputs of a transformer's blocks, for a decoder that reads more than the last output.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "fcm/encoder/features.h"
#include "fcm/masks/view_plan.h"
#include "fcm/nn/layers.h"

namespace fcm::encoder {

// Whether block inputs are saved: only if the plan hides patches, because otherwise no decoder
// reads them.
inline bool keeps_block_inputs(const Outputs& outputs, const masks::ViewPlan& plan) {
  return outputs.block_inputs && plan.sizes.front() < plan.patches();
}

// Runs the blocks on x_NTC and appends the input of each to `features`.
inline at::Tensor run_keeping_inputs(const nn::Blocks& blocks, const at::Tensor& x_NTC,
                                     const nn::Observer& observer, const nn::DropPath& drop_path,
                                     int64_t first, Features& features) {
  std::vector<at::Tensor>& inputs = features.block_inputs_NTC.emplace_back();
  const auto keep = [&](const std::string& name, const at::Tensor& value) {
    if (observer) observer(name, value);
    inputs.push_back(value);  // the first block's input, then each block's output
  };
  const at::Tensor result = blocks(x_NTC, keep, drop_path, first);
  inputs.pop_back();
  return result;
}

}  // namespace fcm::encoder
