// Dense convolutions of maps [B, H, W, C].
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "fcm/nn/batch_norm_maps.h"
#include "fcm/nn/parameters.h"
#include "fcm/nn/remade.h"

namespace fcm::nn {

struct ConvShape {
  int64_t in = 0, out = 0;
  int64_t side = 3;
  int64_t stride = 1;
  int64_t padding = side / 2;
  bool bias = false;
};

enum class ConvStart {
  kFanIn,     // PyTorch's default
  kFanOut,    // normal, deviation sqrt(2 / (out * side * side)): conv-norm-ReLU of the heads
  kNormal01,  // normal, deviation .01, bias 0: conv_seg of the heads
};

// The published convolution, weight [out, in, side, side]. The result has the type of the input;
// weights may be wider. In what way it is computed:
//   side 1: a matrix product
//   stride 1, side 3, maps that are not small: Winograd (ops/conv3x3), by float32 where the
//     processor has no bfloat16 products; the library's convolution in bfloat16 where it has
//   otherwise: the windows gathered, and a matrix product
class Conv {
 public:
  Conv(const Scope& scope, const ConvShape& shape, ConvStart start = ConvStart::kFanIn);

  // x [B, H, W, in] -> [B, (H + 2 * padding - side) / stride + 1, .., out]. Throws Error(kUsage)
  // where the map is smaller than a window.
  at::Tensor operator()(const at::Tensor& x_BHWI) const;
  // The same of a map that is made again in the backward pass.
  at::Tensor operator()(const Remade& x) const;

  // Of maps of several sizes side by side as channels: the first at its size, the others brought
  // to it by bilinear upsampling (nn::upsample). side 3, stride 1, no bias. Channels are mixed
  // before upsampling, which commutes: conv(up(x)) is the sum over the nine taps of
  // shift(up(tap * x)), zeros coming in; so a map of half the side costs a quarter, and no map with
  // all channels is ever made. Equal to the plain form but for rounding.
  at::Tensor of_maps(const Remade& first, const std::vector<at::Tensor>& coarser) const;

 private:
  ConvShape shape_;
  at::Tensor weight_, bias_O_, rounded_;  // weight: [out, side * side * in], channels last
};

// Conv without bias, BatchNorm, ReLU, the published ConvModule: keys .conv.weight and .bn.*.
class ConvNormAct {
 public:
  ConvNormAct(const Scope& scope, const ConvShape& shape);

  // In evaluation without gradients normalisation is part of the pass over memory that ReLU needs:
  // as cheap as if it were folded into the weights, which would have to be written anew each time.
  at::Tensor operator()(const at::Tensor& x_BHWI, const Ranks& ranks) const;
  // The result of `convolved`, which is this one's convolution of something, when it is needed.
  Remade later(const at::Tensor& convolved_BHWO, const Ranks& ranks) const;
  const Conv& conv() const { return conv_; }

 private:
  Conv conv_;
  BatchNorm norm_;
};

}  // namespace fcm::nn
