#include "fcm/optim/adamw.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

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

template <typename T>
double sum_of_squares(const T* values, int64_t count) {
  double sum[8] = {};
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    for (int64_t lane = 0; lane < 8; ++lane) {
      const auto value = static_cast<double>(values[i + lane]);
      sum[lane] += value * value;
    }
  }
  for (; i < count; ++i) sum[0] += static_cast<double>(values[i]) * static_cast<double>(values[i]);
  return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

constexpr int64_t kGrain = 1 << 15;  // elements per task

}  // namespace

AdamW::AdamW(nn::Parameters& parameters, const OptimOptions& options)
    : parameters_(parameters),
      options_(options),
      first_(at::zeros_like(parameters.flat_values())),
      second_(at::zeros_like(parameters.flat_values())) {
  int64_t offset = 0;
  for (const nn::Parameter& parameter : parameters.all()) {
    if (!parameter.trainable) continue;
    const int64_t end = offset + parameter.value.numel();
    if (!segments_.empty() && segments_.back().decays == parameter.decays()) {
      segments_.back().end = end;
    } else {
      segments_.push_back({offset, end, parameter.decays()});
    }
    offset = end;
  }
}

double AdamW::gradient_norm() const {
  const at::Tensor gradients = parameters_.flat_gradients();
  const int64_t count = gradients.numel();
  // Partial sums of fixed pieces, added in order: the same bits for any number of threads.
  std::vector<double> partial(static_cast<size_t>((count + kGrain - 1) / kGrain));
  AT_DISPATCH_FLOATING_TYPES(gradients.scalar_type(), "gradient_norm", [&] {
    const auto* values = gradients.const_data_ptr<scalar_t>();
    at::parallel_for(0, static_cast<int64_t>(partial.size()), 1, [&](int64_t begin, int64_t end) {
      for (int64_t piece = begin; piece < end; ++piece) {
        const int64_t from = piece * kGrain;
        partial[static_cast<size_t>(piece)] =
            sum_of_squares(values + from, std::min(kGrain, count - from));
      }
    });
  });
  double sum = 0;
  for (const double piece : partial) sum += piece;
  return std::sqrt(sum);
}

void AdamW::step(double lr, double gradient_scale) {
  ++steps_;
  const auto count = static_cast<double>(steps_);
  const double correction1 = 1.0 - std::pow(options_.beta1, count);
  const double correction2 = 1.0 - std::pow(options_.beta2, count);
  const at::Tensor values = parameters_.flat_values(), gradients = parameters_.flat_gradients();
  for (const Segment& segment : segments_) {
    const Factors factors{gradient_scale,   segment.decays ? 1.0 - lr * options_.weight_decay : 1.0,
                          options_.beta1,   options_.beta2,
                          lr / correction1, 1.0 / std::sqrt(correction2),
                          options_.epsilon};
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
