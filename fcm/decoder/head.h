// A target's norm and prediction layer, after the blocks of a decoder.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "fcm/decoder/decoder.h"

namespace fcm::decoder {

// Prefix of the names of a target's own modules: "decoder_" for a single target, as upstream;
// "reconstructors.<name>." for one of several.
std::string prefix_of(const Output& output, bool alone);

class Head {
 public:
  // Adds "<prefix>norm" and "<prefix>pred".
  Head(const nn::Scope& scope, const std::string& prefix, int64_t dim, const Output& output);

  // x [N, H, D] -> [N, H, D of the target]. The observer sees the output of the norm and of the
  // prediction layer, by their names.
  at::Tensor operator()(const at::Tensor& x_NHD, const nn::Observer& observer) const;

 private:
  std::string norm_name_, pred_name_;
  nn::LayerNorm norm_;
  nn::Linear pred_;
};

}  // namespace fcm::decoder
