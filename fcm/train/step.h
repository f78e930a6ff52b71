// One update: what it is told, and what came of it.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace fcm::train {

// The place of an update in its run.
struct StepPlan {
  double lr = 0;            // as scheduled
  int64_t micro_batch = 0;  // images of a forward and backward pass
  int64_t step = 0;         // updates before this one
  int64_t of_steps = 0;     // where the schedules end, whether or not the run stops earlier
  double lr_base = 0;       // optim::Rate::base
};

struct StepResult {
  double loss = 0;
  double gradient_norm = 0;
  bool applied = false;  // false: loss or norm was not finite, the weights are as before
  std::map<std::string, double> target_losses;  // unweighted, where there are several
};

}  // namespace fcm::train
