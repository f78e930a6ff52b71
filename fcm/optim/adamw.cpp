#include "fcm/optim/adamw.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/ops/adamw/op.h"
#include "fcm/ops/cuda/place.h"
#include "fcm/optim/norm.h"

namespace fcm::optim {
namespace {

static_assert(offsetof(ops::AdamWState, lr) == 0);
constexpr auto kStepsAt = static_cast<int64_t>(offsetof(ops::AdamWState, steps));

}  // namespace

AdamW::AdamW(nn::Parameters& parameters, const OptimOptions& options,
             std::optional<ElementRange> share)
    : AdamW(parameters, pretraining_groups(parameters, options), options, share) {}

AdamW::AdamW(nn::Parameters& parameters, std::vector<ParameterGroup> groups,
             const OptimOptions& options, std::optional<ElementRange> share)
    : parameters_(parameters),
      groups_(std::move(groups)),
      options_(options),
      share_(share.value_or(ElementRange{0, parameters.flat_values().numel()})),
      first_(at::zeros({share_.size()}, parameters.flat_values().options())),
      second_(at::zeros_like(first_)) {
  const std::vector<size_t> group_of = groups_by_parameter();
  int64_t offset = 0;
  for (size_t i = 0; i < group_of.size(); ++i) {
    const nn::Parameter& parameter = parameters.all()[i];
    if (!parameter.trainable) continue;
    const ParameterGroup& group = groups_[group_of[i]];
    const int64_t end = offset + parameter.value.numel();
    if (!segments_.empty() && segments_.back().lr_scale == group.lr_scale &&
        segments_.back().weight_decay == group.weight_decay) {
      segments_.back().end = end;
    } else {
      segments_.push_back({offset, end, group.lr_scale, group.weight_decay});
    }
    offset = end;
  }
}

// Checks that every trainable parameter is in exactly one group and no frozen one in any.
std::vector<size_t> AdamW::groups_by_parameter() const {
  const std::vector<nn::Parameter>& all = parameters_.all();
  std::vector<size_t> group_of(all.size(), groups_.size());
  for (size_t group = 0; group < groups_.size(); ++group) {
    for (const size_t index : groups_[group].parameters) {
      require(index < all.size() && all[index].trainable,
              "AdamW: group {} has parameter {}, expected a trainable one of {}",
              groups_[group].name, index, all.size());
      require(group_of[index] == groups_.size(), "AdamW: {} is in two groups, expected one",
              all[index].name);
      group_of[index] = group;
    }
  }
  for (size_t i = 0; i < all.size(); ++i) {
    require(!all[i].trainable || group_of[i] < groups_.size(),
            "AdamW: {} is trainable and in no group, expected one", all[i].name);
  }
  return group_of;
}

double AdamW::gradient_norm() const { return euclidean_norm(parameters_.flat_gradients()); }

double AdamW::clip_scale(double norm) const {
  const bool clip = options_.clip_norm > 0 && norm > options_.clip_norm;
  return clip ? options_.clip_norm / norm : 1.0;
}

void AdamW::step(const Rate& rate, double gradient_scale) {
  require(!queued_state_.defined(),
          "AdamW: expected queue_step() of an optimizer whose steps are enqueued on a "
          "device, got step()");
  apply(rate, gradient_scale);
}

ops::AdamWBuffers AdamW::buffers() const {
  require(first_.numel() == share_.size(),
          "AdamW: got a step after widen(), expected keep_share() first");
  return {parameters_.flat_values().narrow(0, share_.begin, share_.size()), first_, second_,
          parameters_.flat_gradients().narrow(0, share_.begin, share_.size())};
}

void AdamW::apply(const Rate& scheduled, double gradient_scale) {
  ++steps_;
  const auto count = static_cast<double>(steps_);
  const double correction1 = 1.0 - std::pow(options_.beta1, count);
  const double correction2 = 1.0 - std::pow(options_.beta2, count);
  std::vector<ops::AdamWSegment> segments;
  for (const ops::AdamWGroupRange& segment : segments_) {
    const double rate =
        scheduled.common == 0
            ? scheduled.lr * segment.lr_scale
            : scheduled.common + (scheduled.lr - scheduled.common) * segment.lr_scale;
    const int64_t begin = std::max(segment.begin, share_.begin) - share_.begin,
                  end = std::min(segment.end, share_.end) - share_.begin;
    if (begin >= end) continue;
    segments.push_back({begin, end, rate / correction1, 1.0 - rate * segment.weight_decay});
  }
  ops::adamw(buffers(), segments,
             {gradient_scale, options_.beta1, options_.beta2, 1.0 / std::sqrt(correction2),
              options_.epsilon});
}

void AdamW::widen() {
  if (share_.size() == parameters_.flat_values().numel()) return;
  for (at::Tensor* moments : {&first_, &second_}) {
    at::Tensor all = at::zeros_like(parameters_.flat_values());
    all.narrow(0, share_.begin, share_.size()).copy_(*moments);
    *moments = all;
  }
}

void AdamW::keep_share() {
  if (first_.numel() == share_.size()) return;
  first_ = first_.narrow(0, share_.begin, share_.size()).clone();
  second_ = second_.narrow(0, share_.begin, share_.size()).clone();
}

at::Tensor AdamW::queued_state() {
  if (!queued_state_.defined()) {
    queued_state_ = at::zeros({static_cast<int64_t>(sizeof(ops::AdamWState))},
                              parameters_.flat_values().options().dtype(at::kByte));
    set_steps(steps_);
  }
  return queued_state_;
}

at::Tensor AdamW::queued_lr() {
  return queued_state().narrow(0, 0, sizeof(double)).view(at::kDouble).squeeze(0);
}

void AdamW::set_steps(int64_t steps) {
  steps_ = steps;
  if (!queued_state_.defined()) return;
  queued_state_.narrow(0, kStepsAt, sizeof steps).view(at::kLong).fill_(steps);
}

void AdamW::queue_step(const at::Tensor& loss) {
  const at::Tensor state = queued_state();
  if (!ops::on_cuda(state)) return queue_on_cpu(loss.item<double>());
  if (queued_step_ == nullptr) {
    queued_step_ = std::make_unique<QueuedStep>(buffers(), segments_, options_, state);
  }
  (*queued_step_)(loss);
}

void AdamW::queue_on_cpu(double loss) {
  auto& state = *static_cast<ops::AdamWState*>(queued_state_.mutable_data_ptr());
  state.loss = loss;
  state.norm = gradient_norm();
  state.applied = std::isfinite(loss) && std::isfinite(state.norm) ? 1 : 0;
  if (state.applied == 0) return;
  steps_ = state.steps;  // count_queued may have set steps_ to the count of an earlier step
  apply({state.lr, 0}, clip_scale(state.norm));
  state.steps = steps_;
}

void AdamW::zero_gradients() { parameters_.zero_gradients(); }

}  // namespace fcm::optim
