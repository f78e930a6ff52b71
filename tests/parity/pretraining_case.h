// What the parity cases of one pretraining model in the manifest share: model, stored tensors and
// inputs.
#pragma once

#include "tests/parity/cases.h"
#include "tests/parity/published_model.h"

namespace fcm::parity {

struct PretrainingCase {
  PublishedModel model;
  Tensors stored;
  Inputs inputs;
};

PretrainingCase pretraining_case(const Entry& entry, const Request& request);

}  // namespace fcm::parity
