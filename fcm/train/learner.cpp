#include "fcm/train/learner.h"

#include <cmath>

namespace fcm::train {

bool Learner::is_finite(const StepResult& result) {
  return group_->all(std::isfinite(result.loss) && std::isfinite(result.gradient_norm));
}

}  // namespace fcm::train
