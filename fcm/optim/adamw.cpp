#include "fcm/optim/adamw.h"

#include <ATen/ATen.h>

#include <cmath>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/ops/adamw/op.h"
#include "fcm/optim/norm.h"

namespace fcm::optim {
AdamW::AdamW(nn::Parameters& parameters, const OptimOptions& options)
    : AdamW(parameters, pretraining_groups(parameters, options.weight_decay), options) {}

AdamW::AdamW(nn::Parameters& parameters, std::vector<ParameterGroup> groups,
             const OptimOptions& options)
    : parameters_(parameters),
      groups_(std::move(groups)),
      options_(options),
      first_(at::zeros_like(parameters.flat_values())),
      second_(at::zeros_like(parameters.flat_values())) {
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

// Every trainable parameter is in one group, and nothing else is in any.
std::vector<size_t> AdamW::groups_by_parameter() const {
  const std::vector<nn::Parameter>& all = parameters_.all();
  std::vector<size_t> group_of(all.size(), groups_.size());
  for (size_t group = 0; group < groups_.size(); ++group) {
    for (const size_t index : groups_[group].parameters) {
      require(index < all.size() && all[index].trainable,
              "group {} holds a parameter that is not trained", groups_[group].name);
      require(group_of[index] == groups_.size(), "{} is in two groups", all[index].name);
      group_of[index] = group;
    }
  }
  for (size_t i = 0; i < all.size(); ++i) {
    require(!all[i].trainable || group_of[i] < groups_.size(), "{} is in no group", all[i].name);
  }
  return group_of;
}

double AdamW::gradient_norm() const { return euclidean_norm(parameters_.flat_gradients()); }

void AdamW::step(double lr, double gradient_scale) {
  ++steps_;
  const auto count = static_cast<double>(steps_);
  const double correction1 = 1.0 - std::pow(options_.beta1, count);
  const double correction2 = 1.0 - std::pow(options_.beta2, count);
  std::vector<ops::AdamWSegment> segments;
  for (const Segment& segment : segments_) {
    const double rate = lr * segment.lr_scale;
    segments.push_back(
        {segment.begin, segment.end, rate / correction1, 1.0 - rate * segment.weight_decay});
  }
  ops::adamw({parameters_.flat_values(), first_, second_, parameters_.flat_gradients()}, segments,
             {gradient_scale, options_.beta1, options_.beta2, 1.0 / std::sqrt(correction2),
              options_.epsilon});
}

void AdamW::zero_gradients() { parameters_.flat_gradients().zero_(); }

}  // namespace fcm::optim
