#include <functional>
#include <numeric>

#include "fcm/reference/keys.h"
#include "fcm/reference/reference.h"

namespace fcm::reference {

int64_t ReferenceOptions::patch_side() const {
  return std::accumulate(strides.begin(), strides.end(), int64_t{1}, std::multiplies<>());
}

int64_t ReferenceOptions::patch_dim() const { return patch_side() * patch_side() * channels; }

NamesAndShapes expected_names_and_shapes(const ReferenceOptions& options) {
  const int64_t last = options.dims.back(), decoder = options.decoder_dim;
  const bool is_vit = options.kind == Kind::kVit;
  const int64_t positions = options.patches() + (is_vit ? 1 : 0);
  Keys keys;
  if (is_vit) keys.add("cls_token", {1, 1, last});
  keys.add("pos_embed", {1, positions, last});
  keys.add("mask_token", {1, 1, decoder});
  keys.add("decoder_pos_embed", {1, positions, decoder});
  if (is_vit) {
    keys.vit(options.channels, options.strides[0], options.dims[0], options.depths[0],
             options.mlp_ratios[0]);
  } else {
    const auto& dims = options.dims;
    const auto& strides = options.strides;
    keys.conv_vit_embeds(options.channels, strides, dims);
    const int64_t across = strides[1] * strides[2];  // cells of stage 1 along a patch
    keys.affine("stage1_output_decode", {last, dims[0], across, across});
    keys.affine("stage2_output_decode", {last, dims[1], strides[2], strides[2]});
    keys.conv_vit_blocks(dims, options.depths, options.mlp_ratios);
  }
  keys.affine("norm", {last});
  keys.affine("decoder_embed", {decoder, last});
  keys.transformer_blocks("decoder_blocks", options.decoder_depth, decoder,
                          options.decoder_mlp_ratio);
  keys.affine("decoder_norm", {decoder});
  keys.affine("decoder_pred", {options.patch_dim(), decoder});
  return keys.take();
}

}  // namespace fcm::reference
