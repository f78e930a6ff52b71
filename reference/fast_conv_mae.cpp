// The upstream FastConvMAE; with one kept view ConvMAE.
#include <ATen/ATen.h>

#include "reference/networks.h"

namespace fcm::reference {
namespace {

std::string numbered(const char* name, int64_t index) {
  return std::string(name) + "." + std::to_string(index);
}

// The outputs of the conv stages: tokens for the transformer blocks, and two terms that are added
// to the output of these blocks.
struct ConvFeatures {
  at::Tensor tokens_BLD, fuse1_BLD, fuse2_BLD;
};

ConvFeatures conv_stages(const Layers& layers, const ReferenceOptions& options,
                         const at::Tensor& images_BCHW, const Views& views) {
  const auto& strides = options.strides;
  const auto maps_of = [&](int64_t cells) {
    return views.visible_maps(options.grid_rows(), options.grid_cols(), cells, layers.compute());
  };
  at::Tensor x = layers.patch_embed("patch_embed1", images_BCHW, strides[0]);
  const int64_t across = strides[1] * strides[2];
  const std::vector<at::Tensor> maps1 = maps_of(across);
  for (int64_t block = 0; block < options.depths[0]; ++block) {
    x = layers.conv_block(numbered("blocks1", block), x, maps1);
  }
  ConvFeatures features;
  features.fuse1_BLD = as_tokens(layers.conv("stage1_output_decode", x, across));
  x = layers.patch_embed("patch_embed2", x, strides[1]);
  const std::vector<at::Tensor> maps2 = maps_of(strides[2]);
  for (int64_t block = 0; block < options.depths[1]; ++block) {
    x = layers.conv_block(numbered("blocks2", block), x, maps2);
  }
  features.fuse2_BLD = as_tokens(layers.conv("stage2_output_decode", x, strides[2]));
  x = as_tokens(layers.patch_embed("patch_embed3", x, strides[2]));
  features.tokens_BLD = layers.linear("patch_embed4", x) + layers.weight("pos_embed");
  return features;
}

// `inputs` receives the input of each block.
at::Tensor transformer_stage(const Layers& layers, const ReferenceOptions& options,
                             const ConvFeatures& features, const Views& views, const Run& run,
                             std::vector<at::Tensor>& inputs) {
  at::Tensor x = views.gather(run, features.tokens_BLD);
  const at::Tensor fuse1 = views.gather(run, features.fuse1_BLD);
  const at::Tensor fuse2 = views.gather(run, features.fuse2_BLD);
  x = layers.transformer_blocks("blocks3", x, options.depths[2], options.heads, {}, 0, &inputs);
  return layers.layer_norm("norm", x + fuse1 + fuse2, kTransformerNormEpsilon);
}

// Puts each view's tokens back to their patches, and mask tokens everywhere else.
at::Tensor unshuffle(const Layers& layers, const at::Tensor& embedded_NkD, const Views& views,
                     const Run& run) {
  const int64_t rows = embedded_NkD.size(0), width = embedded_NkD.size(2);
  const int64_t hidden = views.patches() - run.size;
  const at::Tensor mask_tokens = layers.weight("mask_token").expand({rows, hidden, width});
  const at::Tensor ranked = at::cat({embedded_NkD, mask_tokens}, 1);
  std::vector<at::Tensor> rolled = ranked.chunk(run.count, 0);
  for (int64_t place = 0; place < run.count; ++place) {
    at::Tensor& view = rolled[static_cast<size_t>(place)];
    view = view.roll(views.starts[static_cast<size_t>(run.first + place)], 1);
  }
  const at::Tensor ids = views.ids_restore_BL.repeat({run.count, 1});
  return at::gather(at::cat(rolled, 0), 1, ids.unsqueeze(-1).expand({-1, -1, width}));
}

std::vector<at::Tensor> decode(const Layers& layers, const ReferenceOptions& options,
                               const at::Tensor& latent_NkD, const Views& views, const Run& run) {
  const at::Tensor embedded_NkD = layers.linear("decoder_embed", latent_NkD);
  return reconstruct(
      layers, options,
      unshuffle(layers, embedded_NkD, views, run) + layers.weight("decoder_pos_embed"));
}

}  // namespace

std::vector<RunOutput> fast_conv_mae(const Layers& layers, const ReferenceOptions& options,
                                     const at::Tensor& images_BCHW, const Views& views) {
  const ConvFeatures features = conv_stages(layers, options, images_BCHW, views);
  std::vector<RunOutput> outputs;
  for (const Run& run : views.runs) {
    std::vector<at::Tensor> reads;
    const at::Tensor latent_NkD = transformer_stage(layers, options, features, views, run, reads);
    reads.push_back(latent_NkD);
    outputs.push_back({run, latent_NkD,
                       options.cross ? reconstruct_cross(layers, options, reads,
                                                         views.predicted(run, options.share))
                                     : decode(layers, options, latent_NkD, views, run)});
  }
  return outputs;
}

}  // namespace fcm::reference
