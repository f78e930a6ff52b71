// The decoder in plain tensor calls, for one target or several. With several, each branch is
// computed for every token, one branch after another. Source: the figure of the FastConvMAE
// repository.
#include "reference/networks.h"

namespace fcm::reference {

std::vector<at::Tensor> reconstruct(const Layers& layers, const ReferenceOptions& options,
                                    const at::Tensor& x_NTD) {
  const auto branches = static_cast<int64_t>(options.targets.size());
  const auto head = [&](const std::string& prefix, const at::Tensor& x) {
    return layers.linear(prefix + "pred",
                         layers.layer_norm(prefix + "norm", x, kTransformerNormEpsilon));
  };
  if (branches <= 1) {
    return {
        head("decoder_", layers.transformer_blocks("decoder_blocks", x_NTD, options.decoder_depth,
                                                   options.decoder_heads))};
  }
  const int64_t shared = options.decoder_depth - branches * options.independent_blocks;
  const at::Tensor shared_NTD =
      layers.transformer_blocks("decoder_blocks", x_NTD, shared, options.decoder_heads);
  std::vector<at::Tensor> predictions;
  for (const ReferenceOptions::Target& target : options.targets) {
    const std::string prefix = "reconstructors." + target.name + ".";
    predictions.push_back(
        head(prefix, layers.transformer_blocks(prefix + "blocks", shared_NTD,
                                               options.independent_blocks, options.decoder_heads)));
  }
  return predictions;
}

}  // namespace fcm::reference
