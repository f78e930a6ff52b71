// Initialisation of convolutions, and of the linear layers that upstream heads initialise alike.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "fcm/nn/parameters.h"

namespace fcm::nn {

// fan_in: product of all dimensions of the published weight but the first; fan_out: all but the
// second, as PyTorch counts them. (For a transposed convolution, [in, out, side, side], they are
// therefore swapped, as upstream has them.)
enum class ConvStart {
  kFanIn,           // PyTorch's default: uniform within 1 / sqrt(fan_in), the bias too
  kFanOut,          // normal, std sqrt(2 / fan_out): conv-norm-ReLU of the heads
  kCaffe2Xavier,    // uniform within sqrt(3 / fan_in): detectron2's pyramid and fc1
  kLecunTruncated,  // normal, std 1 / sqrt(fan_in), cut at two: MIMDet's neck
  kNormal01,        // normal, std 0.01: conv_seg, proposals, scores
  kNormal001,       // normal, std 0.001: deltas and masks
};

// Adds "weight" of the published shape to the scope. Returns its held form, a leaf.
at::Tensor add_weight(const Scope& scope, const std::vector<int64_t>& published, ConvStart start,
                      const Layout& layout = {});
// Adds "bias", [size], for a layer whose weight has that shape and start: 0 except for kFanIn.
at::Tensor add_bias(const Scope& scope, int64_t size, const std::vector<int64_t>& published,
                    ConvStart start);

}  // namespace fcm::nn
