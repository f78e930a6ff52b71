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
  const auto& dims = options.dims;
  const auto& strides = options.strides;
  const int64_t last = dims[2], decoder = options.decoder_dim;
  Keys keys;
  keys.add("pos_embed", {1, options.patches(), last});
  keys.add("mask_token", {1, 1, decoder});
  keys.add("decoder_pos_embed", {1, options.patches(), decoder});
  keys.patch_embed("patch_embed1", options.channels, dims[0], strides[0]);
  keys.patch_embed("patch_embed2", dims[0], dims[1], strides[1]);
  keys.patch_embed("patch_embed3", dims[1], last, strides[2]);
  keys.affine("patch_embed4", {last, last});
  const int64_t across = strides[1] * strides[2];  // cells of stage 1 along a patch
  keys.affine("stage1_output_decode", {last, dims[0], across, across});
  keys.affine("stage2_output_decode", {last, dims[1], strides[2], strides[2]});
  for (size_t stage = 0; stage < 3; ++stage) {
    const int64_t hidden = hidden_width(dims[stage], options.mlp_ratios[stage]);
    for (int64_t block = 0; block < options.depths[stage]; ++block) {
      const std::string name = "blocks" + std::to_string(stage + 1) + "." + std::to_string(block);
      if (stage < 2) {
        keys.conv_block(name, dims[stage], hidden);
      } else {
        keys.transformer_block(name, dims[stage], hidden);
      }
    }
  }
  keys.affine("norm", {last});
  keys.affine("decoder_embed", {decoder, last});
  for (int64_t block = 0; block < options.decoder_depth; ++block) {
    keys.transformer_block("decoder_blocks." + std::to_string(block), decoder,
                           hidden_width(decoder, options.decoder_mlp_ratio));
  }
  keys.affine("decoder_norm", {decoder});
  keys.affine("decoder_pred", {options.patch_dim(), decoder});
  return keys.take();
}

}  // namespace fcm::reference
