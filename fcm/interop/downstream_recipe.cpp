#include "fcm/interop/downstream_recipe.h"

#include "fcm/interop/detectors.h"
#include "fcm/interop/segmenters.h"

namespace fcm::interop {

using checkpoint::Checkpoint;

recipe::Recipe downstream_recipe(const Checkpoint& checkpoint,
                                 const std::vector<std::string>& overrides) {
  return is_detector(checkpoint) ? detector_recipe(checkpoint, overrides)
                                 : segmenter_recipe(checkpoint, overrides);
}

std::vector<std::string> downstream_assumptions(const Checkpoint& checkpoint,
                                                const std::vector<std::string>& overrides) {
  return is_detector(checkpoint) ? detector_assumptions(checkpoint, overrides)
                                 : segmenter_assumptions(checkpoint, overrides);
}

Architecture downstream_encoder(const Checkpoint& checkpoint) {
  const std::string source = checkpoint.path.string();
  const auto with_classes = [](const auto& found) {
    Architecture encoder = found.encoder;
    encoder.classes = found.classes;
    return encoder;
  };
  if (is_detector(checkpoint)) {
    return with_classes(detector_architecture(checkpoint.model.tensors, source));
  }
  return with_classes(segmenter_architecture(checkpoint.model.tensors, source));
}

}  // namespace fcm::interop
