// Runs a Swin by the fast path or the reference.
#pragma once

#include <memory>
#include <vector>

#include "fcm/checkpoint/checkpoint.h"
#include "tests/parity/run.h"
#include "tests/parity/swin_model.h"

namespace fcm::parity {

// Activations, losses and gradients under the names of the stored tensors, in upstream layouts:
// "act.<module>", "latent", "reconstruction" or "pred", "logits", "pooled"; gradients by the file
// names of parameters, as "grad.<tag>.<key>" with the tags "l1" (SimMIM), "norm_pix" and "plain"
// (GreenMIM), "ls" and "soft" (classifiers).
Run run_swin(const SwinModel& model, const SwinInputs& inputs, Path path, Types types);

// Steps of AdamW.
struct SwinSteps {
  std::vector<double> rates;
  double beta2 = 0.999, clip = 0;
  double layer_decay = 1;  // of classifiers
  const checkpoint::Checkpoint* start = nullptr;
};
// Runs the steps. Results: parameters "step<k>.<key>"; "losses" before each step and after the
// last; "grad_norms".
Run run_swin_steps(const SwinModel& model, const SwinInputs& inputs, Path path,
                   const SwinSteps& steps);

}  // namespace fcm::parity
