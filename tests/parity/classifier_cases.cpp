// Cases of the kinds finetune and finetune-base: classifiers.
#include <ATen/ATen.h>

#include "fcm/base/error.h"
#include "tests/parity/classifier_case.h"
#include "tests/parity/three_types.h"

namespace fcm::parity {

ClassifierCase classifier_case(const Entry& entry, const Request& request) {
  ClassifierCase made{published_model(entry.about), read_tensors(entry.path()), {}, {}};
  const NamesAndShapes names =
      reference::classifier_names_and_shapes(reference_classifier(made.model));
  made.inputs = make_inputs(entry, made.model, names, made.stored);
  Tensors stored = made.stored;
  const std::filesystem::path golden =
      entry.path().parent_path() / (entry.stem() + ".golden.safetensors");
  if (!stored.contains("labels") && std::filesystem::exists(golden)) {
    stored = read_tensors(golden);
  }
  if (!stored.contains("labels") || !stored.contains("targets")) {
    fail(ExitCode::kData, "no labels and targets for {}: neither in it nor in {}", entry.file,
         golden.string());
  }
  made.targets = {stored.at("labels"), stored.at("targets")};
  if (request.mistake) request.mistake(made.inputs);
  return made;
}

std::vector<CaseResult> classifier_cases(const Entry& entry, const Request& request) {
  return in_three_types(entry, request, [&] {
    const ClassifierCase the = classifier_case(entry, request);
    return Subject{blocks_of(the.model), the.stored, [the](Path path, Types types) {
                     return run_classifier(the.model, the.inputs, the.targets, path, types);
                   }};
  });
}

}  // namespace fcm::parity
