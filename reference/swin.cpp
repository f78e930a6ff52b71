#include "reference/swin.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "reference/keys.h"
#include "reference/layers.h"

namespace fcm::reference {
namespace {

std::string stage_name(size_t stage) { return "layers." + std::to_string(stage); }
std::string block_name(size_t stage, int64_t block) {
  return stage_name(stage) + ".blocks." + std::to_string(block);
}

// [B, H, W, C] -> [B * windows, w * w, C], windows in raster order.
at::Tensor partition(const at::Tensor& x_BHWC, int64_t window) {
  const int64_t b = x_BHWC.size(0), h = x_BHWC.size(1), w = x_BHWC.size(2), c = x_BHWC.size(3);
  return x_BHWC.reshape({b, h / window, window, w / window, window, c})
      .permute({0, 1, 3, 2, 4, 5})
      .reshape({-1, window * window, c});
}

at::Tensor unpartition(const at::Tensor& windows_NTC, int64_t window, int64_t rows, int64_t cols) {
  const int64_t c = windows_NTC.size(2);
  return windows_NTC.reshape({-1, rows / window, cols / window, window, window, c})
      .permute({0, 1, 3, 2, 4, 5})
      .reshape({-1, rows, cols, c});
}

// WindowAttention on the tokens of windows.
at::Tensor attend(const Layers& layers, const std::string& name, const at::Tensor& x_NTC,
                  int64_t heads, const at::Tensor& bias) {
  return layers.observed(name, layers.attention(name, x_NTC, heads, bias));
}

at::Tensor mlp_half(const Layers& layers, const std::string& name, const at::Tensor& x,
                    double epsilon, const at::Tensor& scale_B) {
  const at::Tensor hidden =
      at::gelu(layers.linear(name + ".mlp.fc1", layers.layer_norm(name + ".norm2", x, epsilon)));
  return nn::add_branch(x, layers.linear(name + ".mlp.fc2", hidden), scale_B);
}

at::Tensor block(const Layers& layers, const SwinOptions& options, size_t stage, int64_t index,
                 const at::Tensor& x_BHWC, const nn::BranchScales& scales) {
  const std::string name = block_name(stage, index);
  const int64_t b = x_BHWC.size(0), heads = options.heads[stage],
                shorter = std::min(x_BHWC.size(1), x_BHWC.size(2));
  const bool filled = options.attends_to_padding;
  const int64_t window = filled ? options.window : std::min(options.window, shorter);
  const int64_t shift = (filled || shorter > options.window) && index % 2 == 1 ? window / 2 : 0;
  at::Tensor x = layers.layer_norm(name + ".norm1", x_BHWC, options.norm_epsilon);
  if (filled) {
    const auto missing = [&](int64_t extent) { return (window - extent % window) % window; };
    x = at::constant_pad_nd(x, {0, 0, 0, missing(x.size(2)), 0, missing(x.size(1))});
  }
  const int64_t rows = x.size(1), cols = x.size(2);
  at::Tensor bias =
      layers.biases(name + ".attn", relative_position_index(window, window).to(x.device()))
          .unsqueeze(0);
  if (shift > 0) {
    x = x.roll({-shift, -shift}, {1, 2});
    const at::Tensor mask =
        shifted_window_mask(rows, cols, window).to(x.device(), bias.scalar_type());
    bias = (bias + mask.unsqueeze(1)).repeat({b, 1, 1, 1});
  }
  x = attend(layers, name + ".attn", partition(x, window), heads, bias);
  x = unpartition(x, window, rows, cols);
  if (shift > 0) x = x.roll({shift, shift}, {1, 2});
  if (filled) x = x.slice(1, 0, x_BHWC.size(1)).slice(2, 0, x_BHWC.size(2));
  x = nn::add_branch(x_BHWC, x, scales.first_B);
  x = mlp_half(layers, name, x, options.norm_epsilon, scales.second_B);
  layers.observed(name, x.flatten(1, 2));
  return x;
}

// Merges four children, concatenated, to one cell.
at::Tensor reduce(const Layers& layers, size_t stage, const at::Tensor& children, double epsilon) {
  const std::string name = stage_name(stage) + ".downsample";
  const at::Tensor x = layers.layer_norm(name + ".norm", children, epsilon).to(layers.compute());
  return at::linear(x, layers.weight(name + ".reduction.weight").to(layers.compute()));
}

at::Tensor merge(const Layers& layers, const SwinOptions& options, size_t stage,
                 const at::Tensor& x_BHWC) {
  const auto at_parity = [&](int64_t row, int64_t col) {
    return x_BHWC.slice(1, row, x_BHWC.size(1), 2).slice(2, col, x_BHWC.size(2), 2);
  };
  const at::Tensor x =
      reduce(layers, stage,
             at::cat({at_parity(0, 0), at_parity(1, 0), at_parity(0, 1), at_parity(1, 1)}, 3),
             options.norm_epsilon);
  layers.observed(stage_name(stage) + ".downsample", x.flatten(1, 2));
  return x;
}

// The input of the first stage: [B, h, w, C].
at::Tensor embed(const Layers& layers, const SwinOptions& options, const at::Tensor& images_BCHW) {
  const at::Tensor x =
      layers.conv("patch_embed.proj", images_BCHW, options.patch).permute({0, 2, 3, 1});
  const at::Tensor normed = layers.layer_norm("patch_embed.norm", x, options.norm_epsilon);
  layers.observed("patch_embed", normed.flatten(1, 2));
  return normed;
}

at::Tensor stages(const Layers& layers, const SwinOptions& options, at::Tensor x_BHWC,
                  const nn::DropPath& drop_path = {}) {
  int64_t first = 0;
  for (size_t stage = 0; stage < options.depths.size(); ++stage) {
    for (int64_t i = 0; i < options.depths[stage]; ++i, ++first) {
      x_BHWC = block(layers, options, stage, i, x_BHWC, nn::branch_scales(drop_path, first));
    }
    if (stage + 1 < options.depths.size()) x_BHWC = merge(layers, options, stage, x_BHWC);
  }
  return x_BHWC;
}

// The visible tokens of a stage: (row, column) of each, [T, 2], in raster order.
at::Tensor coordinates(const SwinOptions& options, const at::Tensor& visible_L, size_t stage) {
  const int64_t side = options.unit() / (options.patch << stage);  // cells along a side of a unit
  const int64_t rows = options.rows / options.unit(), cols = options.cols / options.unit();
  return visible_L.view({rows, 1, cols, 1})
      .expand({rows, side, cols, side})
      .reshape({rows * side, cols * side})
      .nonzero();
}

// Pairs of tokens in different windows, and the table row of each pair's bias.
struct Windowed {
  at::Tensor apart_TT, rows_TT;
};

Windowed windowed(const at::Tensor& coordinates_T2, int64_t window, int64_t shift) {
  const at::Tensor ids_T2 = at::div(coordinates_T2 + (window - shift) % window, window, "floor");
  const auto differ = [](const at::Tensor& x_T2) { return x_T2.unsqueeze(1) - x_T2.unsqueeze(0); };
  const at::Tensor apart_TT = differ(ids_T2).abs().sum(2) > 0;
  const at::Tensor relative_TT2 = differ(coordinates_T2) + (window - 1);
  const at::Tensor rows_TT =
      relative_TT2.select(2, 0) * (2 * window - 1) + relative_TT2.select(2, 1);
  return {apart_TT, rows_TT.masked_fill(apart_TT, 0)};
}

at::Tensor visible_block(const Layers& layers, const SwinOptions& options, size_t stage,
                         int64_t index, const at::Tensor& x_BTC, const Windowed& windows) {
  const std::string name = block_name(stage, index);
  const at::Tensor normed = layers.layer_norm(name + ".norm1", x_BTC, options.norm_epsilon);
  const at::Tensor bias = layers.biases(name + ".attn", windows.rows_TT)
                              .masked_fill(windows.apart_TT, -100)
                              .unsqueeze(0);
  const at::Tensor x = x_BTC + attend(layers, name + ".attn", normed, options.heads[stage], bias);
  return layers.observed(name, mlp_half(layers, name, x, options.norm_epsilon, {}));
}

// The token indices of the four children of each token of the next stage: [4, T / 4].
at::Tensor children_of(const at::Tensor& coordinates_T2) {
  const at::Tensor row = coordinates_T2.select(1, 0), col = coordinates_T2.select(1, 1);
  const int64_t wide = (coordinates_T2.max() + 1).item<int64_t>();
  const at::Tensor parent = at::div(row, 2, "floor") * wide + at::div(col, 2, "floor");
  // Parents in raster order; the children of a parent in upstream's order: down the left column,
  // then down the right one.
  const at::Tensor key = parent * 4 + col % 2 * 2 + row % 2;
  return key.argsort(/*stable=*/true, 0).view({-1, 4}).t();
}

at::Tensor visible_stages(const Layers& layers, const SwinOptions& options, at::Tensor x_BTC,
                          const at::Tensor& visible_L) {
  for (size_t stage = 0; stage < options.depths.size(); ++stage) {
    const at::Tensor places_T2 = coordinates(options, visible_L, stage);
    const int64_t shorter = std::min(options.rows, options.cols) / (options.patch << stage);
    const int64_t window = std::min(options.window, shorter);
    const Windowed even = windowed(places_T2, window, 0);
    const Windowed odd = shorter > options.window ? windowed(places_T2, window, window / 2) : even;
    for (int64_t i = 0; i < options.depths[stage]; ++i) {
      x_BTC = visible_block(layers, options, stage, i, x_BTC, i % 2 == 0 ? even : odd);
    }
    if (stage + 1 == options.depths.size()) break;
    std::vector<at::Tensor> children;
    for (const at::Tensor& index : children_of(places_T2).unbind(0)) {
      children.push_back(x_BTC.index_select(1, index));
    }
    x_BTC = layers.observed(stage_name(stage) + ".downsample",
                            reduce(layers, stage, at::cat(children, 2), options.norm_epsilon));
  }
  return x_BTC;
}

// [B, units, unit^2 * channels]; values of a unit as (row, column, channel).
at::Tensor unit_pixels(const SwinOptions& options, const at::Tensor& images_BCHW) {
  const int64_t unit = options.unit();
  return images_BCHW
      .reshape({-1, options.channels, options.rows / unit, unit, options.cols / unit, unit})
      .permute({0, 2, 4, 3, 5, 1})
      .reshape({-1, options.units(), unit * unit * options.channels});
}

}  // namespace

at::Tensor relative_position_index(int64_t rows, int64_t cols) {
  const at::Tensor cells = at::arange(rows * cols, at::kLong);
  const at::Tensor row = at::div(cells, cols, "floor"), col = cells % cols;
  return (row.unsqueeze(1) - row + rows - 1) * (2 * cols - 1) + col.unsqueeze(1) - col + cols - 1;
}

at::Tensor shifted_window_mask(int64_t rows, int64_t cols, int64_t window) {
  const int64_t shift = window / 2;
  at::Tensor regions_HW = at::zeros({rows, cols});
  const auto bands = [&](int64_t extent) {
    return std::vector<std::pair<int64_t, int64_t>>{
        {0, extent - window}, {extent - window, extent - shift}, {extent - shift, extent}};
  };
  int64_t region = 0;
  for (const auto& [top, bottom] : bands(rows)) {
    for (const auto& [left, right] : bands(cols)) {
      regions_HW.slice(0, top, bottom).slice(1, left, right).fill_(region++);
    }
  }
  const at::Tensor of_windows_NT =
      partition(regions_HW.view({1, rows, cols, 1}), window).squeeze(2);
  const at::Tensor differ = of_windows_NT.unsqueeze(1) != of_windows_NT.unsqueeze(2);
  return at::zeros(differ.sizes()).masked_fill(differ, -100);
}

SwinResult simmim(const Weights& weights, const SwinOptions& options, const at::Tensor& images_BCHW,
                  const at::Tensor& mask_Bhw, const nn::Observer& observer) {
  const Layers layers(weights, options.compute, observer);
  const auto type = layers.weight("norm.weight").scalar_type();
  const at::Tensor images = images_BCHW.to(type);
  at::Tensor x = embed(layers, options, images);
  const at::Tensor mask = mask_Bhw.to(type).unsqueeze(3);
  x = x * (1 - mask) + layers.weight("mask_token").unsqueeze(0) * mask;
  layers.observed("masked", x.flatten(1, 2));
  x = stages(layers, options, x);
  SwinResult result;
  x = layers.layer_norm("norm", x, options.norm_epsilon);
  layers.observed("norm", x.flatten(1, 2));
  result.latent = x.permute({0, 3, 1, 2});
  result.reconstructed =
      at::pixel_shuffle(layers.conv("decoder_pred", result.latent), options.unit());
  const at::Tensor mask_BHW = mask_Bhw.to(type)
                                  .repeat_interleave(options.patch, 1)
                                  .repeat_interleave(options.patch, 2)
                                  .unsqueeze(1);
  const at::Tensor difference = (images - result.reconstructed.to(type)).abs();
  result.loss = (difference * mask_BHW).sum() / (mask_BHW.sum() + 1e-5) / options.channels;
  return result;
}

SwinResult swin_classify(const Weights& weights, const SwinOptions& options,
                         const at::Tensor& images_BCHW, const nn::DropPath& drop_path,
                         const nn::Observer& observer) {
  const Layers layers(weights, options.compute, observer);
  const at::Tensor images = images_BCHW.to(layers.weight("norm.weight").scalar_type());
  at::Tensor x = stages(layers, options, embed(layers, options, images), drop_path).flatten(1, 2);
  x = layers.layer_norm("norm", x, options.norm_epsilon);
  SwinResult result;
  result.pooled = x.mean(1);
  result.logits = layers.linear("head", result.pooled);
  return result;
}

SwinResult green_mim(const Weights& weights, const SwinOptions& options,
                     const at::Tensor& images_BCHW, const at::Tensor& noise_L, int64_t kept,
                     const nn::Observer& observer) {
  const Layers layers(weights, options.compute, observer);
  const auto type = layers.weight("norm.weight").scalar_type();
  const at::Tensor images = images_BCHW.to(type);
  const at::Tensor drawn_L = noise_L.argsort(/*stable=*/true, 0);
  const at::Tensor visible_L =
      at::zeros({options.units()}, at::kBool).index_fill(0, drawn_L.slice(0, 0, kept), 1);
  const at::Tensor places_T2 = coordinates(options, visible_L, 0);
  const at::Tensor cells_T =
      places_T2.select(1, 0) * (options.cols / options.patch) + places_T2.select(1, 1);
  at::Tensor x = embed(layers, options, images).flatten(1, 2).index_select(1, cells_T);
  x = visible_stages(layers, options, layers.observed("visible", x), visible_L);
  SwinResult result;
  // [B, kept, C], in raster order
  result.latent = layers.layer_norm("norm", x, options.norm_epsilon);

  x = layers.linear("decoder_embed", result.latent);
  // The published decoder assumes tokens sorted by noise, which they are not; this sorts them.
  if (!options.shuffled) {
    x = x.index_select(1, drawn_L.slice(0, 0, kept).argsort().argsort());
  }
  const at::Tensor mask_tokens =
      layers.weight("mask_token").expand({x.size(0), options.units() - kept, -1}).to(x.dtype());
  x = at::cat({x, mask_tokens}, 1).index_select(1, drawn_L.argsort(/*stable=*/true, 0));
  x = x + layers.weight("decoder_pos_embed");
  x = layers.transformer_blocks("decoder_blocks", x, options.decoder_depth, options.decoder_heads);
  x = layers.layer_norm("decoder_norm", x, kTransformerNormEpsilon);
  result.reconstructed = layers.linear("decoder_pred", x);

  at::Tensor targets = unit_pixels(options, images);
  if (options.norm_pix) {
    const at::Tensor mean = targets.mean(-1, /*keepdim=*/true);
    const at::Tensor variance = targets.var(-1, /*unbiased=*/true, /*keepdim=*/true);
    targets = (targets - mean) / (variance + 1e-6).sqrt();
  }
  const at::Tensor error_BL = (result.reconstructed.to(type) - targets).pow(2).mean(-1);
  result.loss = error_BL.index_select(1, drawn_L.slice(0, kept)).mean();
  return result;
}

namespace {

void add_swin(Keys& keys, const SwinOptions& options) {
  keys.patch_embed("patch_embed", options.channels, options.dim, options.patch);
  int64_t dim = options.dim;
  for (size_t stage = 0; stage < options.depths.size(); ++stage, dim *= 2) {
    const int64_t shorter = std::min(options.rows, options.cols) / (options.patch << stage);
    const int64_t window = std::min(options.window, shorter), side = 2 * window - 1;
    for (int64_t i = 0; i < options.depths[stage]; ++i) {
      const std::string name = block_name(stage, i);
      keys.affine(name + ".norm1", {dim});
      keys.add(name + ".attn.relative_position_bias_table", {side * side, options.heads[stage]});
      keys.affine(name + ".attn.qkv", {3 * dim, dim});
      keys.affine(name + ".attn.proj", {dim, dim});
      keys.affine(name + ".norm2", {dim});
      const int64_t hidden = hidden_width(dim, options.mlp_ratio);
      keys.affine(name + ".mlp.fc1", {hidden, dim});
      keys.affine(name + ".mlp.fc2", {dim, hidden});
    }
    if (stage + 1 == options.depths.size()) break;
    keys.add(stage_name(stage) + ".downsample.reduction.weight", {2 * dim, 4 * dim});
    keys.affine(stage_name(stage) + ".downsample.norm", {4 * dim});
  }
  keys.affine("norm", {dim});
}

int64_t last_dim(const SwinOptions& options) { return options.dim << (options.depths.size() - 1); }

}  // namespace

NamesAndShapes simmim_names_and_shapes(const SwinOptions& options) {
  Keys keys;
  keys.add("mask_token", {1, 1, options.dim});
  add_swin(keys, options);
  const int64_t pixels = options.unit() * options.unit() * options.channels;
  keys.affine("decoder_pred", {pixels, last_dim(options), 1, 1});
  return keys.take();
}

NamesAndShapes swin_classifier_names_and_shapes(const SwinOptions& options) {
  Keys keys;
  add_swin(keys, options);
  keys.affine("head", {options.classes, last_dim(options)});
  return keys.take();
}

NamesAndShapes green_mim_names_and_shapes(const SwinOptions& options) {
  Keys keys;
  const int64_t dim = options.decoder_dim;
  keys.add("mask_token", {1, 1, dim});
  keys.add("decoder_pos_embed", {1, options.units(), dim});
  add_swin(keys, options);
  keys.affine("decoder_embed", {dim, last_dim(options)});
  keys.transformer_blocks("decoder_blocks", options.decoder_depth, dim, options.decoder_mlp_ratio);
  keys.affine("decoder_norm", {dim});
  keys.affine("decoder_pred", {options.unit() * options.unit() * options.channels, dim});
  return keys.take();
}

}  // namespace fcm::reference
