// Model, stored tensors and inputs that the parity cases of one classifier share.
#pragma once

#include "tests/parity/cases.h"
#include "tests/parity/classifier_run.h"

namespace fcm::parity {

struct ClassifierCase {
  PublishedModel model;
  Tensors stored;
  Inputs inputs;
  ClassifierTargets targets;
};

// Labels and soft targets come from the file that `entry` names, or from the "finetune" file whose
// name has the same stem.
ClassifierCase classifier_case(const Entry& entry, const Request& request);

}  // namespace fcm::parity
