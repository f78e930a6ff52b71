// Runs a path on a case; everything that it computes has the names of the stored tensors.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "fcm/checkpoint/checkpoint.h"
#include "tests/parity/fixtures.h"
#include "tests/parity/published_model.h"

namespace fcm::parity {

// kFast: the code with which this program trains. kReference: upstream's computation in plain
// tensor calls.
enum class Path { kFast, kReference };

// dtypes of parameters, and of matrix products.
struct Types {
  at::ScalarType parameters = at::kFloat;
  at::ScalarType compute = at::kFloat;
};

struct Run {
  Tensors values;    // "act.<module>", "latent", "pred", "loss.<tag>", "grad.<tag>.<key>", ...
  Tensors computed;  // bool: which elements were computed; without an entry: all
};

// Names and shapes of the parameters, in upstream order.
NamesAndShapes parameters_of(const PublishedModel& model);

// Computes activations, and losses and gradients with the tags "norm_pix" (normalised targets) and
// "plain" (targets without normalisation).
Run run_pretraining(const PublishedModel& model, const Inputs& inputs, Path path, Types types);

// Runs one AdamW step with upstream's decay groups for each learning rate in `rates`. Stores the
// parameters after each step ("step<k>.<key>"), and the losses before each step and after the last
// ("losses"). `start`: a checkpoint with optimizer state, from which the run resumes; without it
// the run starts from the case's weights.
Run run_adamw(const PublishedModel& model, const Inputs& inputs, Path path,
              const std::vector<double>& rates, const checkpoint::Checkpoint* start = nullptr);

}  // namespace fcm::parity
