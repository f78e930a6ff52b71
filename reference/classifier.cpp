#include "reference/classifier.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include "fcm/base/error.h"
#include "reference/keys.h"
#include "reference/layers.h"

namespace fcm::reference {
namespace {

// Tokens [B, L, D].
at::Tensor conv_vit(const Layers& layers, const ClassifierOptions& options,
                    const at::Tensor& images_BCHW, const nn::DropPath& drop_path) {
  at::Tensor x = images_BCHW;
  int64_t first = 0;  // index of the stage's first block in the network
  for (size_t stage = 0; stage < 2; ++stage) {
    const std::string number = std::to_string(stage + 1);
    x = layers.patch_embed("patch_embed" + number, x, options.strides[stage]);
    for (int64_t block = 0; block < options.depths[stage]; ++block) {
      x = layers.conv_block("blocks" + number + "." + std::to_string(block), x, {},
                            nn::branch_scales(drop_path, first + block));
    }
    first += options.depths[stage];
  }
  x = as_tokens(layers.patch_embed("patch_embed3", x, options.strides[2]));
  x = layers.linear("patch_embed4", x) + layers.weight("pos_embed");
  return layers.transformer_blocks("blocks3", x, options.depths[2], options.heads, drop_path,
                                   first);
}

// Tokens [B, 1 + L, D], the class token first.
at::Tensor vit(const Layers& layers, const ClassifierOptions& options,
               const at::Tensor& images_BCHW, const nn::DropPath& drop_path) {
  const at::Tensor patches_BLD = layers.observed(
      "patch_embed", as_tokens(layers.conv("patch_embed.proj", images_BCHW, options.strides[0])));
  const at::Tensor class_token = layers.weight("cls_token").expand({patches_BLD.size(0), -1, -1});
  const at::Tensor x = at::cat({class_token, patches_BLD}, 1) + layers.weight("pos_embed");
  return layers.transformer_blocks("blocks", x, options.depths[0], options.heads, drop_path);
}

at::Tensor pooled(const Layers& layers, const ClassifierOptions& options,
                  const at::Tensor& tokens_BTD) {
  if (!options.mean_pool) {
    return layers.layer_norm("norm", tokens_BTD, kTransformerNormEpsilon).select(1, 0);
  }
  const at::Tensor patches_BLD = tokens_BTD.slice(1, options.kind == Kind::kVit ? 1 : 0);
  return layers.layer_norm("fc_norm", patches_BLD.mean(1), kTransformerNormEpsilon);
}

void check(const ClassifierOptions& options, const at::Tensor& images_BCHW) {
  const size_t stages = options.kind == Kind::kVit ? 1 : 3;
  require(options.strides.size() == stages && options.dims.size() == stages &&
              options.depths.size() == stages && options.mlp_ratios.size() == stages,
          "expected one element for each of {} stages, got {} strides, {} dims, {} "
          "depths and {} mlp_ratios",
          stages, options.strides.size(), options.dims.size(), options.depths.size(),
          options.mlp_ratios.size());
  const int64_t side = options.patch_side();
  if (options.rows % side != 0 || options.cols % side != 0) {
    fail(ExitCode::kUsage,
         "images of {} x {} pixels do not divide into patches of {} x {}; choose multiples of {}",
         options.rows, options.cols, side, side, side);
  }
  require(images_BCHW.dim() == 4 && images_BCHW.size(1) == options.channels &&
              images_BCHW.size(2) == options.rows && images_BCHW.size(3) == options.cols,
          "expected images of [B, {1}, {2}, {3}], got [{0}]", fmt::join(images_BCHW.sizes(), ", "),
          options.channels, options.rows, options.cols);
}

}  // namespace

ClassifierResult classify(const Weights& weights, const ClassifierOptions& options,
                          const at::Tensor& images_BCHW, const nn::DropPath& drop_path,
                          const nn::Observer& observer) {
  check(options, images_BCHW);
  const Layers layers(weights, options.compute, observer);
  const at::Tensor images = images_BCHW.to(layers.weight("head.weight").scalar_type());
  const at::Tensor tokens_BTD = options.kind == Kind::kVit
                                    ? vit(layers, options, images, drop_path)
                                    : conv_vit(layers, options, images, drop_path);
  ClassifierResult result;
  result.features_BD = pooled(layers, options, tokens_BTD);
  result.logits_BC = layers.linear("head", result.features_BD);
  return result;
}

NamesAndShapes classifier_names_and_shapes(const ClassifierOptions& options) {
  const int64_t last = options.dims.back();
  Keys keys;
  if (options.kind == Kind::kVit) {
    keys.add("cls_token", {1, 1, last});
    keys.add("pos_embed", {1, 1 + options.patches(), last});
    keys.vit(options.channels, options.strides[0], last, options.depths[0], options.mlp_ratios[0]);
  } else {
    keys.add("pos_embed", {1, options.patches(), last});
    keys.conv_vit_embeds(options.channels, options.strides, options.dims);
    keys.conv_vit_blocks(options.dims, options.depths, options.mlp_ratios);
  }
  if (!options.mean_pool) keys.affine("norm", {last});
  keys.affine("head", {options.classes, last});
  if (options.mean_pool) keys.affine("fc_norm", {last});
  return keys.take();
}

}  // namespace fcm::reference
