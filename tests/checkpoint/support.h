// What tests of checkpoints share beside tests/formats/support.h.
#pragma once

#include "fcm/checkpoint/checkpoint.h"
#include "tests/formats/support.h"

namespace fcm::checkpoint {

using namespace formats;

inline bool is_small_state(const Checkpoint& checkpoint, int64_t step) {
  const SmallState small(step);
  return checkpoint.step == step && checkpoint.state == small.state &&
         same_tensors(checkpoint.model, small.model()) &&
         same_tensors(checkpoint.optimizer, small.optimizer());
}

}  // namespace fcm::checkpoint
