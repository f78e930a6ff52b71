// The inputs of a pretraining entry's cases.
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
