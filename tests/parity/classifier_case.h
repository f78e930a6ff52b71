// The inputs of a classifier entry's cases.
#pragma once

#include "tests/parity/cases.h"
#include "tests/parity/classifier_run.h"

namespace fcm::parity {

struct ClassifierCase {
  PublishedModel model;
  Tensors stored;
  Inputs inputs;
  Answers answers;
};

// Labels and targets come from the entry's file, or from the "finetune" file of the same stem.
ClassifierCase classifier_case(const Entry& entry, const Request& request);

}  // namespace fcm::parity
