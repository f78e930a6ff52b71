// Dense convolutions of maps [B, H, W, C].
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "fcm/nn/conv_start.h"
#include "fcm/nn/map_norm.h"
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

// Of detectron2's convolutions with a norm; what mmsegmentation's have is the default.
struct ConvNormOptions {
  ConvShape shape = {};
  ConvStart start = ConvStart::kFanOut;
  MapNormOptions norm = {};
  bool relu = true;
};

// Convolution, norm, and ReLU or not.
class ConvNormAct {
 public:
  // mmsegmentation's ConvModule, with BatchNorm and ReLU: keys .conv.weight and .bn.*.
  ConvNormAct(const Scope& scope, const ConvShape& shape);
  // With places of their own for what the convolution and the norm have. detectron2's Conv2d has
  // its weight in a scope and the norm's in scope / "norm".
  ConvNormAct(const Scope& conv, const Scope& norm, const ConvNormOptions& options);

  // In evaluation without gradients normalisation is part of the pass over memory that ReLU needs:
  // as cheap as if it were folded into the weights, which would have to be written anew each time.
  at::Tensor operator()(const at::Tensor& x_BHWI, const Ranks& ranks) const;
  // Of a map that is made again in the backward pass, and made again itself: of several one after
  // another only what the convolutions leave is kept.
  Remade operator()(const Remade& x, const Ranks& ranks) const;
  // The result of `convolved`, which is this one's convolution of something, when it is needed.
  Remade later(const at::Tensor& convolved_BHWO, const Ranks& ranks) const;
  const Conv& conv() const { return conv_; }

 private:
  Conv conv_;
  MapNorm norm_;
  bool relu_;
};

}  // namespace fcm::nn
