// The decoder of CrossMAE (models_cross.py, CrossAttentionBlock of transformer_utils.py) in plain
// tensor calls. Names are this program's: the weights of a mix, and its norm, belong to the block
// that reads it. The last source of a mix is the encoder's output after its norm.
#include <ATen/ATen.h>

#include <cmath>

#include "reference/networks.h"

namespace fcm::reference {
namespace {

// [N, T, C]: the tokens that the block attends to.
at::Tensor attended_tokens(const Layers& layers, const ReferenceOptions& options,
                           const std::string& block, const std::vector<at::Tensor>& sources_NTC) {
  if (!options.reads_mix) return sources_NTC.back();
  const at::Tensor& weight_1I = layers.weight(block + ".mix.weight");
  std::vector<at::Tensor> all;
  for (const at::Tensor& source : sources_NTC) all.push_back(source.to(weight_1I.scalar_type()));
  const at::Tensor mix_NTC = at::matmul(at::stack(all, -1), weight_1I[0]);
  return layers.layer_norm(block + ".norm_kv", mix_NTC, kTransformerNormEpsilon);
}

at::Tensor cross_attention(const Layers& layers, const std::string& name, const at::Tensor& x_NQD,
                           const at::Tensor& source_NTC, int64_t heads) {
  const int64_t rows = x_NQD.size(0), width = x_NQD.size(2), head_width = width / heads;
  const at::Tensor query =
      layers.linear(name + ".q", x_NQD).reshape({rows, -1, heads, head_width}).transpose(1, 2) *
      std::pow(static_cast<double>(head_width), -0.5);
  const std::vector<at::Tensor> kv = layers.linear(name + ".kv", source_NTC)
                                         .reshape({rows, -1, 2, heads, head_width})
                                         .permute({2, 0, 3, 1, 4})
                                         .unbind(0);
  const at::Tensor weights =
      at::matmul(query, kv[0].transpose(-2, -1)).softmax(-1, x_NQD.scalar_type());
  const at::Tensor mixed = at::matmul(weights.to(layers.compute()), kv[1]);
  return layers.linear(name + ".proj", mixed.transpose(1, 2).reshape({rows, -1, width}));
}

at::Tensor cross_block(const Layers& layers, const ReferenceOptions& options,
                       const std::string& name, at::Tensor x_NQD,
                       const std::vector<at::Tensor>& sources_NTC) {
  const at::Tensor normed = layers.layer_norm(name + ".norm1", x_NQD, kTransformerNormEpsilon);
  x_NQD = x_NQD + cross_attention(layers, name + ".cross_attn", normed,
                                  attended_tokens(layers, options, name, sources_NTC),
                                  options.decoder_heads);
  const at::Tensor hidden = at::gelu(layers.linear(
      name + ".mlp.fc1", layers.layer_norm(name + ".norm2", x_NQD, kTransformerNormEpsilon)));
  return layers.observed(name, x_NQD + layers.linear(name + ".mlp.fc2", hidden));
}

}  // namespace

std::vector<at::Tensor> reconstruct_cross(const Layers& layers, const ReferenceOptions& options,
                                          const std::vector<at::Tensor>& sources_NTC,
                                          const at::Tensor& predicted_NL) {
  const at::Tensor mask_NL1 = predicted_NL.to(at::kBool).unsqueeze(-1);
  const int64_t rows = predicted_NL.size(0), patches = predicted_NL.size(1);
  const at::Tensor& table = layers.weight("decoder_pos_embed");  // a class token's row is not used
  const at::Tensor positions_NLD =
      table.slice(1, table.size(1) - patches).expand({rows, -1, options.decoder_dim});
  const at::Tensor x_NQD =
      positions_NLD.masked_select(mask_NL1).reshape({rows, -1, options.decoder_dim}) +
      layers.weight("mask_token");
  const auto blocks = [&](const std::string& stem, int64_t depth, at::Tensor x) {
    layers.observed(stem + "_in", x);
    for (int64_t i = 0; i < depth; ++i) {
      x = cross_block(layers, options, stem + "." + std::to_string(i), x, sources_NTC);
    }
    return x;
  };
  const auto head = [&](const std::string& prefix, const at::Tensor& x) {
    const at::Tensor predictions_NQd = layers.linear(
        prefix + "pred", layers.layer_norm(prefix + "norm", x, kTransformerNormEpsilon));
    const at::Tensor nothing =
        at::zeros({rows, patches, predictions_NQd.size(2)}, predictions_NQd.options());
    return nothing.masked_scatter(mask_NL1, predictions_NQd);
  };
  const auto branches = static_cast<int64_t>(options.targets.size());
  const int64_t own = branches > 1 ? options.independent_blocks : 0;
  const at::Tensor shared_NQD =
      blocks("decoder_blocks", options.decoder_depth - branches * own, x_NQD);
  if (branches <= 1) return {head("decoder_", shared_NQD)};
  std::vector<at::Tensor> predictions;
  for (const ReferenceOptions::Target& target : options.targets) {
    const std::string prefix = "reconstructors." + target.name + ".";
    predictions.push_back(head(prefix, blocks(prefix + "blocks", own, shared_NQD)));
  }
  return predictions;
}

}  // namespace fcm::reference
