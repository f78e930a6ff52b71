#include "reference/segmenter.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <string>

#include "reference/layers.h"
#include "reference/segmentation.h"
#include "reference/swin.h"

namespace fcm::reference {
namespace {

const std::string kBackbone = "backbone.";

at::Tensor as_map(const at::Tensor& tokens_BLD, const SegmenterOptions& options) {
  return tokens_BLD.transpose(1, 2).reshape(
      {tokens_BLD.size(0), -1, options.grid_rows(), options.grid_cols()});
}

// The rows of the table for the class token (as query, as key, for itself) come after the others.
at::Tensor relative_rows(const SegmenterOptions& options) {
  const int64_t rows = options.grid_rows(), cols = options.grid_cols();
  const at::Tensor patches_LL = relative_position_index(rows, cols);
  if (options.kind != Kind::kVit) return patches_LL;
  const int64_t behind = (2 * rows - 1) * (2 * cols - 1);
  const at::Tensor all_TT = at::full({1 + rows * cols, 1 + rows * cols}, behind, at::kLong);
  all_TT.slice(0, 1).slice(1, 0, 1).fill_(behind + 1);
  all_TT[0][0] = behind + 2;
  all_TT.slice(0, 1).slice(1, 1).copy_(patches_LL);
  return all_TT;
}

// A block with relative position biases and LayerScale.
at::Tensor relative_block(const Layers& layers, const std::string& name, const at::Tensor& x_BTD,
                          int64_t heads, double epsilon, const at::Tensor& rows_TT,
                          const nn::BranchScales& scales) {
  const at::Tensor normed = layers.layer_norm(name + ".norm1", x_BTD, epsilon);
  const at::Tensor mixed = layers.attention(name + ".attn", normed, heads,
                                            layers.biases(name + ".attn", rows_TT).unsqueeze(0));
  const at::Tensor x =
      nn::add_branch(x_BTD, layers.weight(name + ".gamma_1") * mixed, scales.first_B);
  const at::Tensor hidden =
      at::gelu(layers.linear(name + ".mlp.fc1", layers.layer_norm(name + ".norm2", x, epsilon)));
  return layers.observed(
      name,
      nn::add_branch(x, layers.weight(name + ".gamma_2") * layers.linear(name + ".mlp.fc2", hidden),
                     scales.second_B));
}

// The outputs of `depth` blocks.
std::vector<at::Tensor> relative_blocks(const Layers& layers, const SegmenterOptions& options,
                                        const std::string& name, at::Tensor x_BTD, int64_t first,
                                        const nn::DropPath& drop_path) {
  const double epsilon = options.kind == Kind::kVit ? kTransformerNormEpsilon : kConvNormEpsilon;
  const at::Tensor rows_TT = relative_rows(options).to(x_BTD.device());
  std::vector<at::Tensor> results;
  for (int64_t block = 0; block < options.depths.back(); ++block) {
    x_BTD = relative_block(layers, name + "." + std::to_string(block), x_BTD, options.heads,
                           epsilon, rows_TT, nn::branch_scales(drop_path, first + block));
    results.push_back(x_BTD);
  }
  return results;
}

std::vector<at::Tensor> maps_of_conv_vit(const Layers& layers, const SegmenterOptions& options,
                                         const at::Tensor& images_BCHW, const SegmenterPass& pass,
                                         const SegmentationPass& norms) {
  std::vector<at::Tensor> maps;
  at::Tensor x = images_BCHW;
  int64_t first = 0;  // index of the stage's first block in the network
  for (size_t stage = 0; stage < 2; ++stage) {
    const std::string number = std::to_string(stage + 1);
    x = layers.patch_embed(kBackbone + "patch_embed" + number, x, options.strides[stage]);
    for (int64_t block = 0; block < options.depths[stage]; ++block) {
      x = layers.conv_block(kBackbone + "blocks" + number + "." + std::to_string(block), x, {},
                            nn::branch_scales(pass.drop_path, first + block));
    }
    first += options.depths[stage];
    maps.push_back(x);
  }
  x = as_tokens(layers.patch_embed(kBackbone + "patch_embed3", x, options.strides[2]));
  x = layers.linear(kBackbone + "patch_embed4", x) + layers.weight(kBackbone + "pos_embed");
  x = relative_blocks(layers, options, kBackbone + "blocks3", x, first, pass.drop_path).back();
  maps.push_back(as_map(x, options));
  maps.push_back(fourth_map(layers, kBackbone + "fpn", maps.back(), norms));
  return maps;
}

std::vector<at::Tensor> maps_of_vit(const Layers& layers, const SegmenterOptions& options,
                                    const at::Tensor& images_BCHW, const SegmenterPass& pass,
                                    const SegmentationPass& norms) {
  const at::Tensor patches_BLD =
      as_tokens(layers.conv(kBackbone + "patch_embed.proj", images_BCHW, options.strides[0]));
  const at::Tensor class_token =
      layers.weight(kBackbone + "cls_token").expand({patches_BLD.size(0), -1, -1});
  const at::Tensor x =
      at::cat({class_token, patches_BLD}, 1) + layers.weight(kBackbone + "pos_embed");
  const std::vector<at::Tensor> blocks =
      relative_blocks(layers, options, kBackbone + "blocks", x, 0, pass.drop_path);
  std::vector<at::Tensor> maps;
  for (const int64_t tap : options.taps) {
    maps.push_back(as_map(blocks.at(static_cast<size_t>(tap)).slice(1, 1), options));
  }
  return vit_neck(layers, "neck", maps, norms);
}

}  // namespace

SegmenterLogits segment(const Weights& weights, const SegmenterOptions& options,
                        const at::Tensor& images_BCHW, const SegmenterPass& pass,
                        const nn::Observer& observer) {
  const Layers layers(weights, options.compute, observer);
  const at::Tensor images =
      images_BCHW.to(layers.weight("decode_head.conv_seg.weight").scalar_type());
  SegmentationPass of_head{pass.training, {}};
  const std::vector<at::Tensor> maps =
      options.kind == Kind::kVit ? maps_of_vit(layers, options, images, pass, of_head)
                                 : maps_of_conv_vit(layers, options, images, pass, of_head);
  for (size_t i = 0; i < maps.size(); ++i) {
    nn::observe(observer, "feature", static_cast<int64_t>(i), maps[i]);
  }
  SegmenterLogits logits;
  of_head.dropout_BC = pass.decode_BC;
  logits.decode_BKHW = upernet(layers, "decode_head.", maps, of_head);
  if (pass.training) {
    of_head.dropout_BC = pass.aux_BC;
    logits.aux_BKHW = fcn(layers, "auxiliary_head.", maps[2], of_head);
  }
  return logits;
}

at::Tensor slide(const Weights& weights, const SegmenterOptions& options,
                 const at::Tensor& image_1CHW, const std::array<int64_t, 2>& strides, int64_t rows,
                 int64_t cols) {
  const at::NoGradGuard no_grad;
  const int64_t height = image_1CHW.size(2), width = image_1CHW.size(3);
  const auto [down, across] = strides;
  const auto windows = [](int64_t extent, int64_t crop, int64_t stride) {
    return std::max<int64_t>(extent - crop + stride - 1, 0) / stride + 1;
  };
  at::Tensor sum;
  const at::Tensor count = at::zeros({1, 1, height, width}, image_1CHW.options());
  for (int64_t i = 0; i < windows(height, options.rows, down); ++i) {
    for (int64_t j = 0; j < windows(width, options.cols, across); ++j) {
      const int64_t bottom = std::min(i * down + options.rows, height),
                    right = std::min(j * across + options.cols, width);
      const auto part = [&](const at::Tensor& x) {
        return x.slice(2, bottom - options.rows, bottom).slice(3, right - options.cols, right);
      };
      const at::Tensor logits = segment(weights, options, part(image_1CHW)).decode_BKHW;
      if (!sum.defined()) sum = at::zeros({1, logits.size(1), height, width}, logits.options());
      part(sum).add_(upsampled(logits, options.rows, options.cols));
      part(count).add_(1);
    }
  }
  return upsampled(sum / count, rows, cols).softmax(1).argmax(1).squeeze(0);
}

}  // namespace fcm::reference
