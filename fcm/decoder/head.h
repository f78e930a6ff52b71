// A target's last norm and prediction, behind the blocks of a decoder.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "fcm/decoder/decoder.h"

namespace fcm::decoder {

// In front of the names of what a target has of its own: "decoder_" of a single one, as published;
// of several "reconstructors.<name>.".
std::string prefix_of(const Output& output, bool alone);

class Head {
 public:
  // Adds "<prefix>norm" and "<prefix>pred".
  Head(const nn::Scope& scope, const std::string& prefix, int64_t dim, const Output& output);

  // x [N, H, D] -> [N, H, D of the target]. The observer sees both by their names.
  at::Tensor operator()(const at::Tensor& x_NHD, const nn::Observer& observer) const;

 private:
  std::string norm_name_, pred_name_;
  nn::LayerNorm norm_;
  nn::Linear pred_;
};

}  // namespace fcm::decoder
