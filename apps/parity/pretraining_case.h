// What the cases of a pretraining entry start from.
#pragma once

#include "apps/parity/cases.h"
#include "apps/parity/run.h"

namespace fcm::parity {

inline const char* path_name(Path path) { return path == Path::kFast ? "fast" : "reference"; }

struct PretrainingCase {
  PublishedModel model;
  Tensors stored;
  Inputs inputs;
};

inline PretrainingCase pretraining_case(const Entry& entry, const Request& request) {
  PretrainingCase made{published_model(entry.about), read_tensors(entry.path()), {}};
  made.inputs = make_inputs(entry, made.model, parameters_of(made.model), made.stored);
  if (request.sabotage) request.sabotage(made.inputs);
  return made;
}

}  // namespace fcm::parity
