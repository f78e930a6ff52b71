// Helpers for tests of checkpoints, in addition to tests/formats/support.h.
#pragma once

#include "fcm/checkpoint/checkpoint.h"
#include "fcm/interop/load_any.h"
#include "tests/formats/support.h"

namespace fcm::checkpoint {

using namespace formats;

inline void save_small(const fs::path& folder, int64_t step, const Retention& retention = {}) {
  const SmallState small(step);
  save(folder, step, small.model(), small.optimizer(), small.state, retention);
}

inline bool is_small_state(const Checkpoint& checkpoint, int64_t step) {
  const SmallState small(step);
  return checkpoint.step == step && checkpoint.state == small.state &&
         same_tensors(checkpoint.model, small.model()) &&
         same_tensors(checkpoint.optimizer, small.optimizer());
}

}  // namespace fcm::checkpoint
