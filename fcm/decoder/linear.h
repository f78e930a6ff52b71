// SimMIM's decoder: one linear layer from a hidden patch's latent to its pixels. Source:
// models/simmim.py, whose 1x1 convolution and pixel shuffle are equivalent.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "fcm/decoder/decoder.h"

namespace fcm::decoder {

class LinearDecoder final : public Decoder {
 public:
  // Adds "decoder_pred" (upstream's decoder.0), or "reconstructors.<name>.pred" for several
  // outputs.
  LinearDecoder(const nn::Scope& scope, int64_t encoder_dim, const std::vector<Output>& outputs);

  // For plans of one kept view of k patches. The observer sees the prediction of each output,
  // [B, L - k, D], under the name of its layer.
  Reconstruction operator()(const DecoderInput& seen, const masks::ViewPlan& plan,
                            const nn::Observer& observer = {}) const override;

 private:
  struct Branch {
    std::string name;
    nn::Linear pred;
  };
  std::vector<Branch> branches_;
};

}  // namespace fcm::decoder
