// ConvViT: two convolution stages, then a transformer, on patches in plan order. Source:
// models_fastconvmae.py forward_encoder. Upstream zeroes the patches of other views before every
// convolution; here a patch's neighbours in the plan are all of its own view. Without fused stages
// it is the network of fine-tuning, models_convvit.py.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>
#include <vector>

#include "fcm/encoder/conv_stage.h"
#include "fcm/encoder/encoder.h"
#include "fcm/encoder/map_blocks.h"
#include "fcm/encoder/registry.h"
#include "fcm/nn/layers.h"
#include "fcm/ops/patches.h"

namespace fcm::encoder {

class ConvVit final : public Encoder {
 public:
  // Adds embeddings.positions_1TC, which are in raster order, before the last stage.
  ConvVit(const nn::Scope& scope, const EncoderOptions& options, int64_t channels,
          Embeddings embeddings, const Outputs& outputs);

  Features operator()(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan,
                      const nn::Observer& observer = {},
                      const nn::DropPath& drop_path = {}) const override;

 private:
  at::Tensor convolve(int64_t stage, at::Tensor x_BKPC, const masks::ViewPlan& plan,
                      const nn::Observer& observer, const nn::DropPath& drop_path) const;
  at::Tensor transform(const at::Tensor& x_BKC, const masks::ViewPlan& plan,
                       const nn::Observer& observer, const nn::DropPath& drop_path,
                       Features& features) const;

  ops::PatchGeometry geometry_;
  Outputs outputs_;
  Embeddings embeddings_;
  PatchEmbed embed1_, embed2_, embed3_;
  nn::Linear embed4_;
  std::optional<nn::Linear> fuse1_, fuse2_;
  std::vector<ConvBlock> blocks1_, blocks2_;
  std::unique_ptr<MapBlocks> map_blocks3_;  // in segmenters and detectors
  nn::Blocks blocks3_;                      // otherwise
  std::optional<nn::LayerNorm> norm_;
};

Family conv_vit_family();

}  // namespace fcm::encoder
