// Learner::finish_update: the part of a training step after its backward passes.
#include "fcm/ops/profile_scope.h"
#include "fcm/optim/adamw.h"
#include "fcm/train/learner.h"
#include "fcm/train/learners/group_gradients.h"
#include "fcm/train/learners/group_weights.h"

namespace fcm::train {

bool Learner::finish_update(GroupGradients& gradients, GroupWeights& weights,
                            optim::AdamW& optimizer, const StepPlan& plan, StepResult& result) {
  ops::enter_phase("update");
  gradients.finish(result);
  result.gradient_norm = weights.gradient_norm();
  result.applied = is_finite(result);
  if (!result.applied) return false;
  optimizer.step({plan.lr, plan.lr_common}, optimizer.clip_scale(result.gradient_norm));
  weights.complete();
  return true;
}

}  // namespace fcm::train
