#include <functional>
#include <numeric>

#include "fcm/base/error.h"
#include "reference/keys.h"
#include "reference/reference.h"

namespace fcm::reference {

Kind kind_named(const std::string& name) {
  if (name == "conv_vit") return Kind::kConvVit;
  if (name == "vit") return Kind::kVit;
  fail(ExitCode::kUsage, "there is no reference of \"{}\"; take conv_vit or vit", name);
}

int64_t EncoderSizes::patch_side() const {
  return std::accumulate(strides.begin(), strides.end(), int64_t{1}, std::multiplies<>());
}

int64_t ReferenceOptions::patch_dim() const { return patch_side() * patch_side() * channels; }

namespace {

void add_reconstructors(const ReferenceOptions& options, Keys& keys) {
  const int64_t decoder = options.decoder_dim;
  const auto branches = static_cast<int64_t>(options.targets.size());
  const int64_t own = branches > 1 ? options.independent_blocks : 0;
  const auto width = [&](const ReferenceOptions::Target& target) {
    return target.name == "rgb" ? options.patch_dim() : target.dim;
  };
  const auto blocks = [&](const std::string& stem, int64_t depth) {
    if (!options.cross) {
      return keys.transformer_blocks(stem, depth, decoder, options.decoder_mlp_ratio);
    }
    for (int64_t block = 0; block < depth; ++block) {
      keys.cross_block(stem + "." + std::to_string(block), decoder,
                       hidden_width(decoder, options.decoder_mlp_ratio), options.dims.back(),
                       options.reads_mix ? options.depths.back() + 1 : 0);
    }
  };
  blocks("decoder_blocks", options.decoder_depth - branches * own);
  if (branches <= 1) {
    keys.affine("decoder_norm", {decoder});
    keys.affine("decoder_pred",
                {branches == 0 ? options.patch_dim() : width(options.targets[0]), decoder});
    return;
  }
  for (const ReferenceOptions::Target& target : options.targets) {
    const std::string prefix = "reconstructors." + target.name + ".";
    blocks(prefix + "blocks", own);
    keys.affine(prefix + "norm", {decoder});
    keys.affine(prefix + "pred", {width(target), decoder});
  }
}

}  // namespace

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
  if (!options.cross) keys.affine("decoder_embed", {decoder, last});
  add_reconstructors(options, keys);
  if (options.mimic_dim > 0) {
    keys.affine("mimic.norm", {last});
    keys.affine("mimic.pred", {options.mimic_dim, last});
  }
  return keys.take();
}

}  // namespace fcm::reference
