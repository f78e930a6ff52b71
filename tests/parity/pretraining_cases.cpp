// Cases of the kinds forward, pred, grads, compact and base: pretraining.
#include "tests/parity/pretraining_case.h"
#include "tests/parity/three_types.h"

namespace fcm::parity {

PretrainingCase pretraining_case(const Entry& entry, const Request& request) {
  PretrainingCase made{published_model(entry.about), read_tensors(entry.path()), {}};
  made.inputs = make_inputs(entry, made.model, parameters_of(made.model), made.stored);
  made.model.device = request.device;
  if (request.mistake) request.mistake(made.inputs);
  return made;
}

std::vector<CaseResult> pretraining_cases(const Entry& entry, const Request& request) {
  return in_three_types(entry, request, [&] {
    const PretrainingCase the = pretraining_case(entry, request);
    return Subject{blocks_of(the.model), the.stored, [the](Path path, Types types) {
                     return run_pretraining(the.model, the.inputs, path, types);
                   }};
  });
}

}  // namespace fcm::parity
