// The upstream MAE (models_mae.py), once for every kept view.
#include <ATen/ATen.h>

#include "reference/networks.h"

namespace fcm::reference {
namespace {

at::Tensor gather_tokens(const at::Tensor& tokens_BTD, const at::Tensor& ids_BT) {
  return at::gather(tokens_BTD, 1, ids_BT.unsqueeze(-1).expand({-1, -1, tokens_BTD.size(2)}));
}

// [B, L, D]: patch tokens of the images with positions.
at::Tensor embed(const Layers& layers, const ReferenceOptions& options,
                 const at::Tensor& images_BCHW) {
  const at::Tensor x = as_tokens(layers.conv("patch_embed.proj", images_BCHW, options.strides[0]));
  return layers.observed("patch_embed", x) + layers.weight("pos_embed").slice(1, 1);
}

// [B, 1 + k, D]: the class token and the kept patches, encoded. `inputs` receives the input of each
// block.
at::Tensor encode(const Layers& layers, const ReferenceOptions& options, const at::Tensor& kept_BkD,
                  std::vector<at::Tensor>& inputs) {
  const at::Tensor class_token =
      layers.weight("cls_token") + layers.weight("pos_embed").slice(1, 0, 1);
  at::Tensor x = at::cat({class_token.expand({kept_BkD.size(0), -1, -1}), kept_BkD}, 1);
  x = layers.transformer_blocks("blocks", x, options.depths[0], options.heads, {}, 0, &inputs);
  return layers.layer_norm("norm", x, kTransformerNormEpsilon);
}

std::vector<at::Tensor> decode(const Layers& layers, const ReferenceOptions& options,
                               const at::Tensor& latent_BTD, const at::Tensor& ids_restore_BL) {
  at::Tensor x = layers.linear("decoder_embed", latent_BTD);
  const int64_t batch = x.size(0), hidden = ids_restore_BL.size(1) + 1 - x.size(1);
  const at::Tensor mask_tokens = layers.weight("mask_token").expand({batch, hidden, -1});
  const at::Tensor patches =
      gather_tokens(at::cat({x.slice(1, 1), mask_tokens}, 1), ids_restore_BL);
  x = at::cat({x.slice(1, 0, 1), patches}, 1) + layers.weight("decoder_pos_embed");
  std::vector<at::Tensor> predictions = reconstruct(layers, options, x);
  for (at::Tensor& prediction : predictions) prediction = prediction.slice(1, 1);
  return predictions;
}

}  // namespace

std::vector<RunOutput> mae(const Layers& layers, const ReferenceOptions& options,
                           const at::Tensor& images_BCHW, const Views& views) {
  const at::Tensor tokens_BLD = embed(layers, options, images_BCHW);
  std::vector<RunOutput> outputs;
  for (size_t view = 0; view < views.masks.size(); ++view) {
    // Rotates the shuffle so that this view's patches come first, as if they had the lowest noise.
    const at::Tensor ids_shuffle_BL = views.ids_shuffle_BL.roll(-views.starts[view], 1);
    const at::Tensor kept_BkD =
        gather_tokens(tokens_BLD, ids_shuffle_BL.slice(1, 0, views.sizes[view]));
    std::vector<at::Tensor> reads;
    const at::Tensor latent_BTD = encode(layers, options, kept_BkD, reads);
    reads.push_back(latent_BTD);
    const Run run{static_cast<int64_t>(view), 1, views.sizes[view]};
    outputs.push_back(
        {run, latent_BTD,
         options.cross
             ? reconstruct_cross(layers, options, reads, views.predicted(run, options.share))
             : decode(layers, options, latent_BTD, ids_shuffle_BL.argsort(/*stable=*/true, 1))});
  }
  return outputs;
}

}  // namespace fcm::reference
