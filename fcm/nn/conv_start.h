// Initialisation of convolutions, and of the linear layers that upstream heads initialise alike.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "fcm/nn/parameters.h"

namespace fcm::nn {

// As PyTorch counts them, fan_in is the product of all dimensions of the published weight but the
// first, and fan_out of all but the second. For a transposed convolution, whose weight is
// [in, out, side, side], they are therefore swapped, as they are upstream.
enum class ConvStart {
  kFanIn,           // PyTorch's default: weight and bias uniform within 1 / sqrt(fan_in)
  kFanOut,          // normal, std sqrt(2 / fan_out): conv-norm-ReLU of the heads
  kCaffe2Xavier,    // uniform within sqrt(3 / fan_in): detectron2's pyramid and fc1
  kLecunTruncated,  // normal, std 1 / sqrt(fan_in), truncated at two stds: MIMDet's neck
  kNormal01,        // normal, std 0.01: conv_seg, proposals, scores
  kNormal001,       // normal, std 0.001: deltas and masks
};

// Adds "weight" of the published shape to the scope. Returns the stored tensor, an autograd leaf.
at::Tensor add_weight(const Scope& scope, const std::vector<int64_t>& published, ConvStart start,
                      const Layout& layout = {});
// Adds "bias", [size], for a layer whose weight has the shape `published` and this `start`: zeros,
// except for kFanIn.
at::Tensor add_bias(const Scope& scope, int64_t size, const std::vector<int64_t>& published,
                    ConvStart start);

}  // namespace fcm::nn
