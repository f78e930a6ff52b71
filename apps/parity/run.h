// What a path through this program computes for a case, under the names of the stored tensors.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "apps/parity/fixtures.h"
#include "apps/parity/published_model.h"

namespace fcm::parity {

// The fast path is what trains; the reference is the published form in plain tensor calls.
enum class Path { kFast, kReference };

// Types of parameters, and of matrix products.
struct Types {
  at::ScalarType parameters = at::kFloat;
  at::ScalarType compute = at::kFloat;
};

struct Run {
  Tensors values;    // "act.<module>", "latent", "pred", "loss.<tag>", "grad.<tag>.<key>", ...
  Tensors computed;  // bool: which elements were; complete where there is no entry
};

// Names and shapes of the parameters, in the published order.
NamesAndShapes parameters_of(const PublishedModel& model);

// Loss and gradients with normalised targets ("norm_pix") and plain ones ("plain"); activations.
Run run_pretraining(const PublishedModel& model, const Inputs& inputs, Path path, Types types);

// Parameters after each of `steps` updates by AdamW with the published decay groups at a fixed
// learning rate ("step<k>.<key>"), and "losses": before each step, and after the last.
Run run_adamw(const PublishedModel& model, const Inputs& inputs, Path path, int64_t steps,
              double lr);

}  // namespace fcm::parity
