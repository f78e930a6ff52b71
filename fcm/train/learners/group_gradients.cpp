#include "fcm/train/learners/group_gradients.h"

#include <optional>
#include <utility>
#include <vector>

namespace fcm::train {

GroupGradients::GroupGradients(const std::shared_ptr<dist::Group>& group,
                               nn::Parameters& parameters, const GroupWeights& weights)
    : parameters_(parameters) {
  if (group->size() == 1) return;
  parameters.hold_gradients_in(
      group->make_buffer(parameters.trainable_elements(), parameters.flat_gradients().options()));
  std::vector<dist::GradientSlice> filled;
  for (const nn::Parameter& parameter : parameters.all()) {
    if (parameter.trainable) filled.push_back({parameter.name, parameter.value});
  }
  std::optional<dist::Part> share;
  if (weights.needs_share_alone()) share = {weights.share().begin, weights.share().end};
  reducer_ = std::make_unique<dist::Reducer>(group, parameters.flat_gradients(), std::move(filled),
                                             dist::Reducer::kBucketBytes, share);
}

void GroupGradients::begin_last_pass() {
  if (reducer_) reducer_->begin_last_pass();
}

void GroupGradients::finish(StepResult& mine) {
  if (!reducer_) return;
  parameters_.flat_gradients();  // writes zeros for parameters that no pass reached
  std::vector<double> losses{mine.loss};
  for (const auto& [name, loss] : mine.target_losses) losses.push_back(loss);
  reducer_->finish(losses);
  auto next = losses.begin();
  mine.loss = *next++;
  for (auto& [name, loss] : mine.target_losses) loss = *next++;
}

}  // namespace fcm::train
