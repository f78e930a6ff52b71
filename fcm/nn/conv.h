// Dense convolutions of maps [B, H, W, C].
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "fcm/nn/conv_start.h"
#include "fcm/nn/map_norm.h"
#include "fcm/nn/parameters.h"
#include "fcm/nn/recomputed.h"

namespace fcm::nn {

struct ConvShape {
  int64_t in = 0, out = 0;
  int64_t side = 3;
  int64_t stride = 1;
  int64_t padding = side / 2;
  bool bias = false;
};

// Upstream's convolution, weight [out, in, side, side]. The result has the type of the input;
// weights may be of a wider type. Algorithms:
//   side 1, stride 1: a matrix product
//   side 3, stride 1, padding 1, 512 positions or more: Winograd (ops/conv3x3), bfloat16 maps
//     converted to float32; but LibTorch's convolution on a GPU, and for bfloat16 maps on a
//     processor with bfloat16 products
//   otherwise: windows gathered as rows, and a matrix product
class Conv {
 public:
  Conv(const Scope& scope, const ConvShape& shape, ConvStart start = ConvStart::kFanIn);

  // x [B, H, W, in] -> [B, (H + 2 * padding - side) / stride + 1, .., out]. Throws Error(kUsage) if
  // the padded map is smaller than a window.
  at::Tensor operator()(const at::Tensor& x_BHWI) const;
  // The same convolution of a map that backward recomputes.
  at::Tensor operator()(const Recomputed& x) const;

  // Convolves maps of several sizes, concatenated along channels: the first map at its own size,
  // the coarser maps bilinearly upsampled to it (nn::upsample). Side 3, stride 1, padding 1. The
  // product with a tap's weights commutes with upsampling, so the product comes first: conv(up(x))
  // is the sum over the nine taps of shift(up(tap * x)), with zeros shifted in. A map of half the
  // side costs a quarter, and the concatenated map is never built. Equal to the plain form up to
  // rounding.
  at::Tensor of_maps(const Recomputed& first, const std::vector<at::Tensor>& coarser) const;

 private:
  ConvShape shape_;
  at::Tensor weight_, bias_O_, rounded_;  // weight: [out, side * side * in], channels last
};

// Options of detectron2's convolutions with a norm; the defaults are mmsegmentation's.
struct ConvNormOptions {
  ConvShape shape = {};
  ConvStart start = ConvStart::kFanOut;
  MapNormOptions norm = {};
  bool relu = true;
};

// Convolution, norm, and optionally ReLU.
class ConvNormAct {
 public:
  // mmsegmentation's ConvModule, with BatchNorm and ReLU: keys .conv.weight and .bn.*.
  ConvNormAct(const Scope& scope, const ConvShape& shape);
  // With separate scopes for the convolution and the norm. detectron2's Conv2d has its weight in a
  // scope and the norm's in scope / "norm".
  ConvNormAct(const Scope& conv, const Scope& norm, const ConvNormOptions& options);

  // In evaluation without gradients, normalisation shares one pass over memory with ReLU. This is
  // as cheap as folding it into the weights, and no weight has to be rewritten.
  at::Tensor operator()(const at::Tensor& x_BHWI, const Ranks& ranks) const;
  // Takes and returns maps that backward recomputes: in a chain of layers only the outputs of the
  // convolutions are saved.
  Recomputed operator()(const Recomputed& x, const Ranks& ranks) const;
  // Norm and ReLU, computed lazily, of `convolved`, an output of this layer's convolution.
  Recomputed deferred(const at::Tensor& convolved_BHWO, const Ranks& ranks) const;
  const Conv& conv() const { return conv_; }

 private:
  Conv conv_;
  MapNorm norm_;
  bool relu_;
};

}  // namespace fcm::nn
