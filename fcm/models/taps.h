// The outputs of chosen blocks of an encoder's last stage, for heads that read several of them.
#pragma once

#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include <string>
#include <vector>

#include "fcm/encoder/registry.h"
#include "fcm/nn/observer.h"

namespace fcm::models {

// An observer that stores the outputs of `blocks` and passes everything on to the observer
// `onward`.
class Taps {
 public:
  Taps(const std::string& kind, const encoder::EncoderOptions& options,
       const std::vector<int64_t>& blocks, const nn::Observer& onward)
      : onward_(onward), results_(blocks.size()) {
    const std::string stem = encoder::family(kind).last_blocks(options);
    for (const int64_t block : blocks) names_.push_back(fmt::format("{}.{}", stem, block));
  }
  void operator()(const std::string& name, const at::Tensor& value) {
    if (onward_) onward_(name, value);
    for (size_t i = 0; i < names_.size(); ++i) {
      if (names_[i] == name) results_[i] = value;
    }
  }
  // In the order of `blocks`, with the shapes the observer saw; undefined before the forward pass.
  const std::vector<at::Tensor>& results() const { return results_; }

 private:
  const nn::Observer& onward_;
  std::vector<std::string> names_;
  std::vector<at::Tensor> results_;
};

}  // namespace fcm::models
