// Everything a path computes for a case, under the names of the stored tensors.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "fcm/checkpoint/checkpoint.h"
#include "tests/parity/fixtures.h"
#include "tests/parity/published_model.h"

namespace fcm::parity {

// The fast path is the one that trains; the reference is the upstream form in plain tensor calls.
enum class Path { kFast, kReference };

// dtypes of parameters, and of matrix products.
struct Types {
  at::ScalarType parameters = at::kFloat;
  at::ScalarType compute = at::kFloat;
};

struct Run {
  Tensors values;    // "act.<module>", "latent", "pred", "loss.<tag>", "grad.<tag>.<key>", ...
  Tensors computed;  // bool: which elements were computed; all if there is no entry
};

// Names and shapes of the parameters, in upstream order.
NamesAndShapes parameters_of(const PublishedModel& model);

// Loss and gradients with normalised targets ("norm_pix") and plain ones ("plain"); activations.
Run run_pretraining(const PublishedModel& model, const Inputs& inputs, Path path, Types types);

// Steps of AdamW with upstream's decay groups, one for each of `rates`: parameters after each
// ("step<k>.<key>"), and "losses" before each and after the last. `start`: a checkpoint with
// optimizer state to resume from, instead of the case's weights.
Run run_adamw(const PublishedModel& model, const Inputs& inputs, Path path,
              const std::vector<double>& rates, const checkpoint::Checkpoint* start = nullptr);

}  // namespace fcm::parity
