#include "reference/layers.h"

#include <ATen/ATen.h>

#include <cmath>

#include "fcm/base/error.h"

namespace fcm::reference {

const at::Tensor& Layers::weight(const std::string& name) const {
  const auto found = weights_.find(name);
  if (found == weights_.end()) {
    fail(ExitCode::kCheckpoint,
         "the reference model expects a parameter '{}' that is not among the weights; "
         "check that depths and sizes are those of the checkpoint",
         name);
  }
  return found->second;
}

at::Tensor Layers::observed(const std::string& name, at::Tensor value) const {
  nn::observe(observer_, name, value);
  return value;
}

at::Tensor Layers::linear(const std::string& name, const at::Tensor& x) const {
  return observed(name, at::linear(x.to(compute_), weight(name + ".weight").to(compute_),
                                   weight(name + ".bias").to(compute_)));
}

at::Tensor Layers::conv(const std::string& name, const at::Tensor& x_BCHW, int64_t stride,
                        int64_t padding, int64_t groups) const {
  return observed(name, at::conv2d(x_BCHW.to(compute_), weight(name + ".weight").to(compute_),
                                   weight(name + ".bias").to(compute_), {stride, stride},
                                   {padding, padding}, {1, 1}, groups));
}

at::Tensor Layers::layer_norm(const std::string& name, const at::Tensor& x, double epsilon) const {
  const at::Tensor& scale = weight(name + ".weight");
  return observed(name, at::layer_norm(x.to(scale.scalar_type()), {scale.size(0)}, scale,
                                       weight(name + ".bias"), epsilon));
}

at::Tensor Layers::channel_norm(const std::string& name, const at::Tensor& x_BCHW,
                                double epsilon) const {
  return layer_norm(name, x_BCHW.permute({0, 2, 3, 1}), epsilon).permute({0, 3, 1, 2});
}

at::Tensor Layers::batch_norm(const std::string& name, const at::Tensor& x_BCHW,
                              bool training) const {
  const at::Tensor& scale = weight(name + ".weight");
  return at::batch_norm(x_BCHW.to(scale.scalar_type()), scale, weight(name + ".bias"),
                        weight(name + ".running_mean"), weight(name + ".running_var"), training,
                        /*momentum=*/0.1, /*eps=*/1e-5, /*cudnn_enabled=*/false);
}

at::Tensor Layers::patch_embed(const std::string& name, const at::Tensor& x_BCHW,
                               int64_t stride) const {
  return observed(name,
                  at::gelu(channel_norm(name + ".norm", conv(name + ".proj", x_BCHW, stride))));
}

at::Tensor Layers::masked_depthwise(const std::string& name, const at::Tensor& x_BCHW,
                                    const std::vector<at::Tensor>& visible_maps) const {
  const int64_t channels = x_BCHW.size(1);
  const auto convolve_whole = [&](const at::Tensor& whole_BCHW) {
    return conv(name, whole_BCHW, /*stride=*/1, /*padding=*/2, channels);
  };
  if (visible_maps.empty()) return convolve_whole(x_BCHW);
  const auto convolve = [&](const at::Tensor& map) { return convolve_whole(x_BCHW * map); };
  // ConvMAE does not mask the output of its one view: no visible cell ever reads a hidden one.
  if (visible_maps.size() == 1) return convolve(visible_maps[0]);
  at::Tensor sum;
  for (const at::Tensor& map : visible_maps) {
    const at::Tensor view = convolve(map) * map;
    sum = sum.defined() ? sum + view : view;
  }
  return sum;
}

at::Tensor Layers::conv_block(const std::string& name, const at::Tensor& x_BCHW,
                              const std::vector<at::Tensor>& visible_maps,
                              const nn::BranchScales& scales, double epsilon) const {
  at::Tensor branch = conv(name + ".conv1", channel_norm(name + ".norm1", x_BCHW, epsilon));
  branch = masked_depthwise(name + ".attn", branch, visible_maps);
  const at::Tensor x = nn::add_branch(x_BCHW, conv(name + ".conv2", branch), scales.first_B);
  branch = at::gelu(conv(name + ".mlp.fc1", channel_norm(name + ".norm2", x, epsilon)));
  return observed(name, nn::add_branch(x, conv(name + ".mlp.fc2", branch), scales.second_B));
}

at::Tensor Layers::attention(const std::string& name, const at::Tensor& x_NTD, int64_t heads,
                             const at::Tensor& bias) const {
  const int64_t rows = x_NTD.size(0), tokens = x_NTD.size(1), width = x_NTD.size(2);
  const int64_t head_width = width / heads;
  const std::vector<at::Tensor> qkv = linear(name + ".qkv", x_NTD)
                                          .reshape({rows, tokens, 3, heads, head_width})
                                          .permute({2, 0, 3, 1, 4})
                                          .unbind(0);
  const at::Tensor query = qkv[0] * std::pow(static_cast<double>(head_width), -0.5);
  at::Tensor scores = at::matmul(query, qkv[1].transpose(-2, -1));
  if (bias.defined()) scores = scores + bias;
  const at::Tensor weights = scores.softmax(-1, x_NTD.scalar_type());
  const at::Tensor mixed = at::matmul(weights.to(compute_), qkv[2]);
  return linear(name + ".proj", mixed.transpose(1, 2).reshape({rows, tokens, width}));
}

at::Tensor Layers::biases(const std::string& attention, const at::Tensor& rows_TT) const {
  return weight(attention + ".relative_position_bias_table")
      .index_select(0, rows_TT.reshape({-1}))
      .view({rows_TT.size(0), rows_TT.size(1), -1})
      .permute({2, 0, 1});
}

at::Tensor Layers::transformer_block(const std::string& name, const at::Tensor& x_NTD,
                                     int64_t heads, const nn::BranchScales& scales,
                                     const at::Tensor& bias) const {
  const at::Tensor normed = layer_norm(name + ".norm1", x_NTD, kTransformerNormEpsilon);
  const at::Tensor x =
      nn::add_branch(x_NTD, attention(name + ".attn", normed, heads, bias), scales.first_B);
  const at::Tensor hidden =
      at::gelu(linear(name + ".mlp.fc1", layer_norm(name + ".norm2", x, kTransformerNormEpsilon)));
  return observed(name, nn::add_branch(x, linear(name + ".mlp.fc2", hidden), scales.second_B));
}

at::Tensor Layers::transformer_blocks(const std::string& name, at::Tensor x_NTD, int64_t depth,
                                      int64_t heads, const nn::DropPath& drop_path, int64_t first,
                                      std::vector<at::Tensor>* inputs) const {
  observed(name + "_in", x_NTD);
  for (int64_t block = 0; block < depth; ++block) {
    if (inputs != nullptr) inputs->push_back(x_NTD);
    x_NTD = transformer_block(name + "." + std::to_string(block), x_NTD, heads,
                              nn::branch_scales(drop_path, first + block));
  }
  return x_NTD;
}

at::Tensor as_tokens(const at::Tensor& x_BCHW) { return x_BCHW.flatten(2).transpose(1, 2); }

}  // namespace fcm::reference
