#include "fcm/optim/adamw.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <cmath>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/optim/norm.h"

namespace fcm::optim {
namespace {

struct Factors {
  double gradient_scale, decay, beta1, beta2, rate, root_correction, epsilon;
};

// One pass over four arrays; the clones are chosen at run time by the loader.
template <typename T>
inline void update(T* value, T* first, T* second, const T* gradient, int64_t count,
                   const Factors& factors) {
  const T scale = static_cast<T>(factors.gradient_scale), decay = static_cast<T>(factors.decay);
  const T beta1 = static_cast<T>(factors.beta1), rest1 = static_cast<T>(1 - factors.beta1);
  const T beta2 = static_cast<T>(factors.beta2), rest2 = static_cast<T>(1 - factors.beta2);
  const T rate = static_cast<T>(factors.rate), epsilon = static_cast<T>(factors.epsilon);
  const T root_correction = static_cast<T>(factors.root_correction);
  for (int64_t i = 0; i < count; ++i) {
    const T g = gradient[i] * scale;
    first[i] = beta1 * first[i] + rest1 * g;
    second[i] = beta2 * second[i] + rest2 * g * g;
    value[i] =
        value[i] * decay - rate * first[i] / (std::sqrt(second[i]) * root_correction + epsilon);
  }
}

__attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"), optimize("O3"))) void
update_float(float* value, float* first, float* second, const float* gradient, int64_t count,
             const Factors& factors) {
  update(value, first, second, gradient, count, factors);
}

constexpr int64_t kGrain = 1 << 15;  // elements per task

}  // namespace

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
  const at::Tensor values = parameters_.flat_values(), gradients = parameters_.flat_gradients();
  for (const Segment& segment : segments_) {
    const double rate = lr * segment.lr_scale;
    const Factors factors{
        gradient_scale,     1.0 - rate * segment.weight_decay, options_.beta1,  options_.beta2,
        rate / correction1, 1.0 / std::sqrt(correction2),      options_.epsilon};
    at::parallel_for(segment.begin, segment.end, kGrain, [&](int64_t begin, int64_t end) {
      if (values.scalar_type() == at::kFloat) {
        update_float(values.data_ptr<float>() + begin, first_.data_ptr<float>() + begin,
                     second_.data_ptr<float>() + begin, gradients.const_data_ptr<float>() + begin,
                     end - begin, factors);
      } else {
        update(values.data_ptr<double>() + begin, first_.data_ptr<double>() + begin,
               second_.data_ptr<double>() + begin, gradients.const_data_ptr<double>() + begin,
               end - begin, factors);
      }
    });
  }
}

void AdamW::zero_gradients() { parameters_.flat_gradients().zero_(); }

}  // namespace fcm::optim
