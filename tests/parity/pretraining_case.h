// Model, stored tensors and inputs that the parity cases of one pretraining model share.
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
