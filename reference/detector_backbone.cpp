#include "reference/detector_backbone.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "reference/layers.h"
#include "reference/swin.h"

namespace fcm::reference {
namespace {

using Options = DetectorBackboneOptions;

bool attends_everywhere(const Options& options, int64_t block) {
  return std::ranges::find(options.global_blocks, block) != options.global_blocks.end();
}

// From a map [B, H, W, C] to windows [B * windows, w, w, C], zero-padded at the end of rows and
// columns.
at::Tensor windows_of(const at::Tensor& map_BHWC, int64_t w) {
  const int64_t b = map_BHWC.size(0), h = map_BHWC.size(1), width = map_BHWC.size(2);
  const int64_t down = (h + w - 1) / w, across = (width + w - 1) / w;
  const at::Tensor filled =
      at::constant_pad_nd(map_BHWC, {0, 0, 0, across * w - width, 0, down * w - h});
  return filled.view({b, down, w, across, w, -1})
      .permute({0, 1, 3, 2, 4, 5})
      .reshape({b * down * across, w, w, -1});
}

// The inverse, to a map of h x width.
at::Tensor map_of(const at::Tensor& windows_NwwC, int64_t h, int64_t width) {
  const int64_t w = windows_NwwC.size(1);
  const int64_t down = (h + w - 1) / w, across = (width + w - 1) / w;
  return windows_NwwC.view({-1, down, across, w, w, windows_NwwC.size(3)})
      .permute({0, 1, 3, 2, 4, 5})
      .reshape({-1, down * w, across * w, windows_NwwC.size(3)})
      .slice(1, 0, h)
      .slice(2, 0, width);
}

at::Tensor map_of_tokens(const at::Tensor& tokens_BLD, const Options& options) {
  return tokens_BLD.transpose(1, 2).reshape(
      {tokens_BLD.size(0), -1, options.grid_rows(), options.grid_cols()});
}

// The outputs of all blocks, tokens in raster order. The blocks share two bias tables: one for
// windows, one for the whole map.
std::vector<at::Tensor> shared_blocks(const Layers& layers, const Options& options,
                                      const std::string& prefix, const std::string& name,
                                      at::Tensor x_BLD, int64_t first,
                                      const nn::DropPath& drop_path) {
  const int64_t rows = options.grid_rows(), cols = options.grid_cols(), w = options.window;
  const auto biases = [&](const char* table, int64_t down, int64_t across) {
    return layers.biases(prefix + table, relative_position_index(down, across).to(x_BLD.device()))
        .unsqueeze(0);
  };
  const at::Tensor in_windows = biases("windowed_rel_pos_bias", w, w),
                   over_map = biases("global_rel_pos_bias", rows, cols);
  std::vector<at::Tensor> results;
  for (int64_t block = 0; block < options.depths.back(); ++block) {
    const bool everywhere = attends_everywhere(options, block);
    if (!everywhere) {
      x_BLD = windows_of(x_BLD.unflatten(1, {rows, cols}), w).flatten(1, 2);
    }
    x_BLD = layers.transformer_block(prefix + name + "." + std::to_string(block), x_BLD,
                                     options.heads, nn::branch_scales(drop_path, first + block),
                                     everywhere ? over_map : in_windows);
    if (!everywhere) {
      x_BLD = map_of(x_BLD.unflatten(1, {w, w}), rows, cols).flatten(1, 2);
    }
    results.push_back(x_BLD);
  }
  return results;
}

// [size, size, d]: the entry of a table of relative positions for every pair of positions.
at::Tensor entries_of(const at::Tensor& table_Rd, int64_t size) {
  const at::Tensor places = at::arange(size, table_Rd.options().dtype(at::kLong));
  const at::Tensor distances = places.unsqueeze(1) - places.unsqueeze(0) + (size - 1);
  return table_Rd.index_select(0, distances.flatten()).view({size, size, -1});
}

// Attention within maps [N, H, W, C].
at::Tensor decomposed_map_attention(const Layers& layers, const std::string& name,
                                    const at::Tensor& x_NHWC, int64_t heads) {
  const int64_t n = x_NHWC.size(0), h = x_NHWC.size(1), w = x_NHWC.size(2), c = x_NHWC.size(3);
  const std::vector<at::Tensor> qkv = layers.linear(name + ".qkv", x_NHWC)
                                          .reshape({n, h * w, 3, heads, c / heads})
                                          .permute({2, 0, 3, 1, 4})
                                          .unbind(0);
  const at::Tensor q_map = qkv[0].unflatten(2, {h, w});
  const at::Tensor by_row = at::einsum(
      "nhrcd,rsd->nhrcs",
      {q_map, entries_of(layers.weight(name + ".rel_pos_h"), h).to(q_map.scalar_type())});
  const at::Tensor by_col = at::einsum(
      "nhrcd,csd->nhrcs",
      {q_map, entries_of(layers.weight(name + ".rel_pos_w"), w).to(q_map.scalar_type())});
  const double scale = std::pow(static_cast<double>(c / heads), -0.5);
  const at::Tensor scores =
      at::matmul(qkv[0] * scale, qkv[1].transpose(-2, -1)) +
      (by_row.unsqueeze(-1) + by_col.unsqueeze(-2)).reshape({n, heads, h * w, h * w});
  const at::Tensor mixed =
      at::matmul(scores.softmax(-1, x_NHWC.scalar_type()).to(layers.compute()), qkv[2]);
  return layers.linear(name + ".proj", mixed.transpose(1, 2).reshape({n, h, w, c}));
}

at::Tensor decomposed_blocks(const Layers& layers, const Options& options, const std::string& name,
                             at::Tensor x_BHWC, int64_t first, const nn::DropPath& drop_path) {
  for (int64_t block = 0; block < options.depths.back(); ++block) {
    const std::string one = name + "." + std::to_string(block);
    const nn::BranchScales scales = nn::branch_scales(drop_path, first + block);
    at::Tensor branch = layers.layer_norm(one + ".norm1", x_BHWC, kTransformerNormEpsilon);
    if (attends_everywhere(options, block)) {
      branch = decomposed_map_attention(layers, one + ".attn", branch, options.heads);
    } else {
      branch = map_of(decomposed_map_attention(layers, one + ".attn",
                                               windows_of(branch, options.window), options.heads),
                      x_BHWC.size(1), x_BHWC.size(2));
    }
    const at::Tensor x = nn::add_branch(x_BHWC, branch, scales.first_B);
    branch = at::gelu(layers.linear(one + ".mlp.fc1",
                                    layers.layer_norm(one + ".norm2", x, kTransformerNormEpsilon)));
    x_BHWC = layers.observed(
        one, nn::add_branch(x, layers.linear(one + ".mlp.fc2", branch), scales.second_B));
  }
  return x_BHWC;
}

// The square position table of pretraining, resized to the grid of the images.
at::Tensor resized_positions(const at::Tensor& table_1LD, const Options& options) {
  const auto side = static_cast<int64_t>(std::lround(std::sqrt(table_1LD.size(1))));
  const at::Tensor map = table_1LD.view({1, side, side, -1}).permute({0, 3, 1, 2});
  return at::upsample_bicubic2d(map, {options.grid_rows(), options.grid_cols()},
                                /*align_corners=*/false)
      .permute({0, 2, 3, 1});
}

std::vector<at::Tensor> conv_vit_maps(const Layers& layers, const Options& options,
                                      const std::string& prefix, const at::Tensor& images_BCHW,
                                      const nn::DropPath& drop_path) {
  const double epsilon = options.decomposed ? kTransformerNormEpsilon : kConvNormEpsilon;
  std::vector<at::Tensor> maps;
  at::Tensor x = images_BCHW;
  int64_t first = 0;  // index of the stage's first block in the network
  for (size_t stage = 0; stage < 2; ++stage) {
    const std::string number = std::to_string(stage + 1);
    x = layers.patch_embed(prefix + "patch_embed" + number, x, options.strides[stage]);
    for (int64_t block = 0; block < options.depths[stage]; ++block) {
      x = layers.conv_block(prefix + "blocks" + number + "." + std::to_string(block), x, {},
                            nn::branch_scales(drop_path, first + block), epsilon);
    }
    first += options.depths[stage];
    maps.push_back(x);
  }
  x = layers.patch_embed(prefix + "patch_embed3", x, options.strides[2]);
  const at::Tensor& positions = layers.weight(prefix + "pos_embed");
  if (options.decomposed) {
    x = layers.linear(prefix + "patch_embed4", x.permute({0, 2, 3, 1})) +
        resized_positions(positions, options);
    return {decomposed_blocks(layers, options, prefix + "blocks3", x, first, drop_path)
                .permute({0, 3, 1, 2})};
  }
  x = layers.linear(prefix + "patch_embed4", as_tokens(x)) + positions;
  x = shared_blocks(layers, options, prefix, "blocks3", x, first, drop_path).back();
  maps.push_back(map_of_tokens(x, options));
  maps.push_back(at::max_pool2d(maps.back(), {2, 2}));
  return maps;
}

std::vector<at::Tensor> vit_maps(const Layers& layers, const Options& options,
                                 const std::string& prefix, const at::Tensor& images_BCHW,
                                 const nn::DropPath& drop_path) {
  const at::Tensor x =
      as_tokens(layers.conv(prefix + "patch_embed.proj", images_BCHW, options.strides[0])) +
      layers.weight(prefix + "pos_embed");
  const std::vector<at::Tensor> blocks =
      shared_blocks(layers, options, prefix, "blocks", x, 0, drop_path);
  std::vector<at::Tensor> maps;
  for (size_t quarter = 1; quarter <= 4; ++quarter) {
    maps.push_back(map_of_tokens(blocks[quarter * blocks.size() / 4 - 1], options));
  }
  return maps;
}

}  // namespace

std::vector<at::Tensor> detector_backbone(const Weights& weights,
                                          const DetectorBackboneOptions& options,
                                          const std::string& prefix, const at::Tensor& images_BCHW,
                                          const nn::DropPath& drop_path,
                                          const nn::Observer& observer) {
  const Layers layers(weights, options.compute, observer);
  const at::Tensor images = images_BCHW.to(layers.weight(prefix + "pos_embed").scalar_type());
  return options.kind == Kind::kVit ? vit_maps(layers, options, prefix, images, drop_path)
                                    : conv_vit_maps(layers, options, prefix, images, drop_path);
}

}  // namespace fcm::reference
