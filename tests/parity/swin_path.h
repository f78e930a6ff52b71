// The interface of the two paths for a Swin, and code that both share. Only swin_run includes it.
#pragma once

#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/parity/swin_run.h"

namespace fcm::parity {

// The losses of a case by tag; gradients are computed from them.
using Losses = std::vector<std::pair<std::string, at::Tensor>>;

class SwinPath {
 public:
  virtual ~SwinPath() = default;
  // Computes the losses, and stores activations and outputs in `run` if it is not null.
  virtual Losses losses(Run* run) = 0;
  virtual Tensors values() const = 0;     // of parameters, under file names
  virtual Tensors gradients() const = 0;  // of the last backward, under file names
  virtual void zero_gradients() = 0;
  virtual void prepare_updates(const SwinSteps& steps) = 0;
  virtual void update(double lr, double gradient_scale) = 0;

  double gradient_norm() const {
    double sum = 0;
    for (const auto& [name, gradient] : gradients()) {
      const double norm = gradient.to(at::kDouble).norm().item<double>();
      sum += norm * norm;
    }
    return std::sqrt(sum);
  }
};

// The losses of a classifier from its logits, for either path.
Losses classifier_losses(const at::Tensor& logits_BC, const SwinInputs& inputs, Run* run);

// The fast path and the reference. `inputs` must outlive them.
std::unique_ptr<SwinPath> make_fast_swin(const SwinModel& model, const SwinInputs& inputs,
                                         Types types);
std::unique_ptr<SwinPath> make_plain_swin(const SwinModel& model, const SwinInputs& inputs,
                                          Types types);

}  // namespace fcm::parity
