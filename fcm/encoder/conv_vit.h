// ConvViT: two convolution stages, then a transformer, on patches in plan order.
// Source: models_fastconvmae.py forward_encoder; its masks are the plan's missing edges here.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "fcm/encoder/conv_stage.h"
#include "fcm/encoder/features.h"
#include "fcm/encoder/options.h"
#include "fcm/masks/view_plan.h"
#include "fcm/nn/layers.h"
#include "fcm/ops/patches.h"

namespace fcm::encoder {

class ConvVit {
 public:
  // positions_LC: the frozen table added before the last stage, in raster order.
  ConvVit(const nn::Scope& scope, const EncoderOptions& options, int64_t channels,
          at::Tensor positions_LC);

  // pixels [B, L, P, D] in plan order, of the compute type; only the kept slots are looked at.
  Features operator()(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan) const;

 private:
  at::Tensor transform(at::Tensor x_BKC, const masks::ViewPlan& plan) const;

  ops::PatchGeometry geometry_;
  at::Tensor positions_LC_;
  PatchEmbed embed1_, embed2_, embed3_;
  nn::Linear embed4_, fuse1_, fuse2_;
  std::vector<ConvBlock> blocks1_, blocks2_;
  std::vector<nn::Block> blocks3_;
  nn::LayerNorm norm_;
};

}  // namespace fcm::encoder
