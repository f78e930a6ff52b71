// The input and the result of a training step.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace fcm::train {

// The learning rate, the micro-batch and the position in the run of a step.
struct StepPlan {
  double lr = 0;            // as scheduled
  int64_t micro_batch = 0;  // images of one forward and backward pass
  int64_t step = 0;         // steps before this one
  int64_t of_steps = 0;     // the step at which the schedules end, even if the run stops earlier
  double lr_common = 0;     // optim::Rate::common
};

struct StepResult {
  double loss = 0;
  double gradient_norm = 0;
  bool applied = false;  // false: loss or norm was non-finite, the weights are unchanged
  std::map<std::string, double> target_losses;  // unweighted; empty if there is one target
};

}  // namespace fcm::train
