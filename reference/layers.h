// The layers of the upstream models, by the names of their parameters.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "fcm/nn/drop_path.h"
#include "reference/reference.h"

namespace fcm::reference {

// The epsilon of upstream's LayerNorms: PyTorch's default in patch embeddings and conv blocks, 1e-6
// in transformer blocks and after them.
constexpr double kConvNormEpsilon = 1e-5;
constexpr double kTransformerNormEpsilon = 1e-6;

class Layers {
 public:
  // The observer gets, by upstream name, the outputs of linear, conv, layer_norm, channel_norm
  // (channels last), patch_embed, conv_block and transformer_block, and the input of
  // transformer_blocks.
  Layers(const Weights& weights, at::ScalarType compute, nn::Observer observer = {})
      : weights_(weights), compute_(compute), observer_(std::move(observer)) {}

  // Throws Error(kCheckpoint) if there is no such weight.
  const at::Tensor& weight(const std::string& name) const;
  bool has(const std::string& name) const { return weights_.contains(name); }
  at::ScalarType compute() const { return compute_; }
  // Passes a value to the observer and returns it.
  at::Tensor observed(const std::string& name, at::Tensor value) const;

  at::Tensor linear(const std::string& name, const at::Tensor& x) const;
  at::Tensor conv(const std::string& name, const at::Tensor& x_BCHW, int64_t stride = 1,
                  int64_t padding = 0, int64_t groups = 1) const;
  at::Tensor layer_norm(const std::string& name, const at::Tensor& x, double epsilon) const;
  // Over the channels of an NCHW map.
  at::Tensor channel_norm(const std::string& name, const at::Tensor& x_BCHW,
                          double epsilon = kConvNormEpsilon) const;

  // Training: statistics of the batch, and the running statistics in the weights are updated.
  // Otherwise the running statistics are used.
  at::Tensor batch_norm(const std::string& name, const at::Tensor& x_BCHW, bool training) const;

  // Convolution with kernel = stride, norm, GELU.
  at::Tensor patch_embed(const std::string& name, const at::Tensor& x_BCHW, int64_t stride) const;
  // visible_maps: one [B, 1, H, W] of 0 and 1 per view, in the compute type; empty: nothing is
  // hidden.
  at::Tensor conv_block(const std::string& name, const at::Tensor& x_BCHW,
                        const std::vector<at::Tensor>& visible_maps,
                        const nn::BranchScales& scales = {},
                        double epsilon = kConvNormEpsilon) const;
  // bias: is added to the scores [N, heads, T, T], broadcast; undefined: nothing is added.
  at::Tensor attention(const std::string& name, const at::Tensor& x_NTD, int64_t heads,
                       const at::Tensor& bias = {}) const;
  // The relative position biases of an attention: [heads, T, T] for rows [T, T] of its table.
  at::Tensor biases(const std::string& attention, const at::Tensor& rows_TT) const;
  at::Tensor transformer_block(const std::string& name, const at::Tensor& x_NTD, int64_t heads,
                               const nn::BranchScales& scales = {},
                               const at::Tensor& bias = {}) const;
  // Blocks <name>.0, <name>.1, ...; the observer gets their input as <name>_in. `first`: index of
  // block 0 in the whole network, for drop_path. `inputs` receives the input of each block.
  at::Tensor transformer_blocks(const std::string& name, at::Tensor x_NTD, int64_t depth,
                                int64_t heads, const nn::DropPath& drop_path = {},
                                int64_t first = 0, std::vector<at::Tensor>* inputs = nullptr) const;

 private:
  at::Tensor masked_depthwise(const std::string& name, const at::Tensor& x_BCHW,
                              const std::vector<at::Tensor>& visible_maps) const;

  const Weights& weights_;
  at::ScalarType compute_;
  nn::Observer observer_;
};

at::Tensor as_tokens(const at::Tensor& x_BCHW);  // [B, H * W, C]

}  // namespace fcm::reference
