#include "reference/teachers.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <cmath>
#include <string>

#include "fcm/base/error.h"
#include "reference/keys.h"
#include "reference/layers.h"

namespace fcm::reference {
namespace {

constexpr double kClipNormEpsilon = 1e-5;

at::Tensor without_class_token(const at::Tensor& tokens_BTD) { return tokens_BTD.slice(1, 1); }

TowerResult dino(const Layers& layers, const TowerOptions& options, const at::Tensor& images_BCHW) {
  const at::Tensor patches_BLD =
      as_tokens(layers.conv("patch_embed.proj", images_BCHW, options.stride));
  const at::Tensor class_token = layers.weight("cls_token").expand({patches_BLD.size(0), -1, -1});
  at::Tensor x_BTD = at::cat({class_token, patches_BLD}, 1) + layers.weight("pos_embed");
  TowerResult result;
  for (int64_t block = 0; block < options.depth; ++block) {
    x_BTD = layers.transformer_block("blocks." + std::to_string(block), x_BTD, options.heads);
    result.blocks.push_back(without_class_token(x_BTD));
  }
  x_BTD = layers.layer_norm("norm", x_BTD, kTransformerNormEpsilon);
  result.normed_BLD = without_class_token(x_BTD);
  result.class_output = x_BTD.select(1, 0);
  return result;
}

// PyTorch's MultiheadAttention: one product for queries, keys and values, in this order.
at::Tensor clip_attention(const Layers& layers, const std::string& name, const at::Tensor& x_BTD,
                          int64_t heads) {
  const at::ScalarType compute = layers.compute();
  const int64_t batch = x_BTD.size(0), tokens = x_BTD.size(1), width = x_BTD.size(2);
  const at::Tensor joined =
      at::linear(x_BTD.to(compute), layers.weight(name + ".in_proj_weight").to(compute),
                 layers.weight(name + ".in_proj_bias").to(compute));  // [B, T, 3 * D]
  const auto by_head = [&](int64_t part) {                            // [B, heads, T, D / heads]
    return joined.narrow(2, part * width, width)
        .reshape({batch, tokens, heads, width / heads})
        .transpose(1, 2);
  };
  const at::Tensor query = by_head(0) / std::sqrt(static_cast<double>(width / heads));
  const at::Tensor scores = at::matmul(query, by_head(1).transpose(-2, -1));
  const at::Tensor weights = scores.softmax(-1, x_BTD.scalar_type()).to(compute);
  const at::Tensor mixed = at::matmul(weights, by_head(2)).transpose(1, 2);
  return layers.linear(name + ".out_proj", mixed.reshape({batch, tokens, width}));
}

at::Tensor quick_gelu(const at::Tensor& x) { return x * at::sigmoid(1.702 * x); }

at::Tensor clip_block(const Layers& layers, const std::string& name, const at::Tensor& x_BTD,
                      int64_t heads) {
  const at::Tensor x =
      x_BTD + clip_attention(layers, name + ".attn",
                             layers.layer_norm(name + ".ln_1", x_BTD, kClipNormEpsilon), heads);
  const at::Tensor hidden = quick_gelu(
      layers.linear(name + ".mlp.c_fc", layers.layer_norm(name + ".ln_2", x, kClipNormEpsilon)));
  return x + layers.linear(name + ".mlp.c_proj", hidden);
}

TowerResult clip(const Layers& layers, const TowerOptions& options, const at::Tensor& images_BCHW) {
  const at::ScalarType compute = layers.compute();
  const at::Tensor patches_BLD = as_tokens(
      at::conv2d(images_BCHW.to(compute), layers.weight("visual.conv1.weight").to(compute), {},
                 {options.stride, options.stride}));
  const at::Tensor class_token =
      layers.weight("visual.class_embedding").expand({patches_BLD.size(0), 1, options.dim});
  at::Tensor x_BTD =
      at::cat({class_token, patches_BLD}, 1) + layers.weight("visual.positional_embedding");
  x_BTD = layers.layer_norm("visual.ln_pre", x_BTD, kClipNormEpsilon);
  TowerResult result;
  for (int64_t block = 0; block < options.depth; ++block) {
    x_BTD = clip_block(layers, "visual.transformer.resblocks." + std::to_string(block), x_BTD,
                       options.heads);
    result.blocks.push_back(without_class_token(x_BTD));
  }
  // Upstream applies ln_post and proj only to the class token; here they apply to every token.
  x_BTD = layers.layer_norm("visual.ln_post", x_BTD, kClipNormEpsilon);
  const at::Tensor projected_BTP =
      at::matmul(x_BTD.to(compute), layers.weight("visual.proj").to(compute));
  result.normed_BLD = without_class_token(x_BTD);
  result.projected_BLP = without_class_token(projected_BTP);
  result.class_output = projected_BTP.select(1, 0);
  return result;
}

void dino_keys(Keys& keys, const TowerOptions& options) {
  keys.add("cls_token", {1, 1, options.dim});
  keys.add("pos_embed", {1, 1 + options.patches(), options.dim});
  keys.vit(options.channels, options.stride, options.dim, options.depth, options.mlp_ratio);
  keys.affine("norm", {options.dim});
}

void clip_keys(Keys& keys, const TowerOptions& options) {
  const int64_t dim = options.dim, hidden = hidden_width(dim, options.mlp_ratio);
  keys.add("visual.class_embedding", {dim});
  keys.add("visual.positional_embedding", {1 + options.patches(), dim});
  keys.add("visual.proj", {dim, options.projected_dim});
  keys.add("visual.conv1.weight", {dim, options.channels, options.stride, options.stride});
  keys.affine("visual.ln_pre", {dim});
  for (int64_t block = 0; block < options.depth; ++block) {
    const std::string name = "visual.transformer.resblocks." + std::to_string(block);
    keys.add(name + ".attn.in_proj_weight", {3 * dim, dim});
    keys.add(name + ".attn.in_proj_bias", {3 * dim});
    keys.affine(name + ".attn.out_proj", {dim, dim});
    keys.affine(name + ".ln_1", {dim});
    keys.affine(name + ".mlp.c_fc", {hidden, dim});
    keys.affine(name + ".mlp.c_proj", {dim, hidden});
    keys.affine(name + ".ln_2", {dim});
  }
  keys.affine("visual.ln_post", {dim});
}

void check(const TowerOptions& options, const at::Tensor& images_BCHW) {
  if (options.rows % options.stride != 0 || options.cols % options.stride != 0) {
    fail(ExitCode::kUsage,
         "images of {} x {} pixels do not divide into patches of {} x {}; choose multiples of {}",
         options.rows, options.cols, options.stride, options.stride, options.stride);
  }
  require(images_BCHW.dim() == 4 && images_BCHW.size(1) == options.channels &&
              images_BCHW.size(2) == options.rows && images_BCHW.size(3) == options.cols,
          "expected images of [B, {1}, {2}, {3}], got [{0}]", fmt::join(images_BCHW.sizes(), ", "),
          options.channels, options.rows, options.cols);
}

}  // namespace

TowerResult tower(const Weights& weights, const TowerOptions& options,
                  const at::Tensor& images_BCHW) {
  check(options, images_BCHW);
  const Layers layers(weights, options.compute);
  return options.tower == Tower::kDino ? dino(layers, options, images_BCHW)
                                       : clip(layers, options, images_BCHW);
}

NamesAndShapes tower_names_and_shapes(const TowerOptions& options) {
  Keys keys;
  options.tower == Tower::kDino ? dino_keys(keys, options) : clip_keys(keys, options);
  return keys.take();
}

at::Tensor normalised_tokens(const at::Tensor& tokens_BLD, double epsilon) {
  const at::Tensor centred = tokens_BLD - tokens_BLD.mean(-1, /*keepdim=*/true);
  return centred / (centred.square().mean(-1, /*keepdim=*/true) + epsilon).sqrt();
}

}  // namespace fcm::reference
