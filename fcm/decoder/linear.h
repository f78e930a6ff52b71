// SimMIM's decoder: a product from what the encoder makes of a hidden patch to its pixels.
// Source: models/simmim.py, whose 1x1 convolution and pixel shuffle are that product.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "fcm/decoder/decoder.h"

namespace fcm::decoder {

class LinearDecoder final : public Decoder {
 public:
  // Adds "decoder_pred", the published decoder.0; of several outputs "reconstructors.<name>.pred".
  LinearDecoder(const nn::Scope& scope, int64_t encoder_dim, const std::vector<Output>& outputs);

  // For plans of one kept view. The observer sees each output's "decoder_pred", [B, L - k, D].
  Reconstruction operator()(const Seen& seen, const masks::ViewPlan& plan,
                            const nn::Observer& observer = {}) const override;

 private:
  struct Branch {
    std::string name;
    nn::Linear pred;
  };
  std::vector<Branch> branches_;
};

}  // namespace fcm::decoder
