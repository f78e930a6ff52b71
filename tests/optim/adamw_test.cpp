#include "fcm/optim/adamw.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "fcm/optim/norm.h"
#include "tests/support/compare.h"

namespace fcm::optim {
namespace {

nn::Parameters two_parameters() {
  nn::Parameters parameters(1, at::kFloat);
  parameters.add("layer.weight", {40, 30}, nn::Init::kXavierUniform);
  parameters.add("layer.bias", {40}, nn::Init::kFanIn, {}, 30);
  parameters.add("mask_token", {1, 1, 8}, nn::Init::kNormal02);
  parameters.flatten();
  return parameters;
}

TEST(AdamW, FollowsTheFormulaOverSteps) {
  nn::Parameters parameters = two_parameters();
  OptimOptions options;
  options.weight_decay = 0.1;
  AdamW optimizer(parameters, options);
  at::Tensor value = parameters.flat_values().to(at::kDouble), first = at::zeros_like(value),
             second = at::zeros_like(value);
  at::Tensor decay = at::zeros_like(value);
  decay.narrow(0, 0, 1200).fill_(0.1);
  decay.narrow(0, 1240, 8).fill_(0.1);  // weight decay applies to the mask token: it is 3-D
  at::manual_seed(1);
  for (int step = 1; step <= 5; ++step) {
    const double lr = 1e-3 * step;
    at::Tensor gradients = parameters.flat_gradients();
    gradients.copy_(at::randn_like(gradients));
    const at::Tensor g = gradients.to(at::kDouble) * 0.5;
    value = value * (1 - lr * decay);
    first = 0.9 * first + 0.1 * g;
    second = 0.95 * second + 0.05 * g * g;
    value = value - lr / (1 - std::pow(0.9, step)) * first /
                        ((second / (1 - std::pow(0.95, step))).sqrt() + 1e-8);
    optimizer.step(lr, 0.5);
    const double error = (parameters.flat_values() - value).abs().max().item<double>();
    EXPECT_LT(error, 2e-7) << step;
  }
  EXPECT_EQ(optimizer.steps(), 5);
}

// On the CPU, queue_step() equals computing the gradient norm and then calling step().
TEST(AdamW, QueuedStepsAreThoseOfNormAndStep) {
  nn::Parameters plain = two_parameters(), queued = two_parameters();
  OptimOptions options;
  options.clip_norm = 0.5;
  AdamW one(plain, options), other(queued, options);
  one.set_steps(3);
  other.set_steps(3);
  const at::Tensor loss = at::ones({}, at::kDouble);
  at::manual_seed(1);
  for (int step = 1; step <= 3; ++step) {
    plain.flat_gradients().copy_(at::randn_like(plain.flat_gradients()) / (20 * step * step));
    queued.flat_gradients().copy_(plain.flat_gradients());
    const double norm = one.gradient_norm();
    one.step(1e-3 * step, norm > 0.5 ? 0.5 / norm : 1);
    other.queued_lr().fill_(1e-3 * step);
    other.queue_step(loss);
    const auto& state = *static_cast<const ops::AdamWState*>(other.queued_state().const_data_ptr());
    EXPECT_EQ(state.norm, norm);
    EXPECT_EQ(state.applied, 1);
    EXPECT_EQ(state.steps, 3 + step);
  }
  EXPECT_TRUE(test::same_bits(queued.flat_values(), plain.flat_values()));
  const at::Tensor before = queued.flat_values().clone();
  other.queue_step(loss / 0);
  const auto& state = *static_cast<const ops::AdamWState*>(other.queued_state().const_data_ptr());
  EXPECT_EQ(state.applied, 0);
  EXPECT_EQ(other.steps(), 6);
  EXPECT_TRUE(test::same_bits(queued.flat_values(), before));
  EXPECT_THROW(other.step(1e-3), std::logic_error);
}

TEST(AdamW, GradientNormSeesEveryElementAndNonFiniteOnes) {
  nn::Parameters parameters = two_parameters();
  const AdamW optimizer(parameters, {});
  at::Tensor gradients = parameters.flat_gradients();
  gradients.fill_(2.0);
  EXPECT_NEAR(optimizer.gradient_norm(), 2 * std::sqrt(1248.0), 1e-9);
  gradients[1247] = std::numeric_limits<float>::infinity();
  EXPECT_FALSE(std::isfinite(optimizer.gradient_norm()));
  gradients[1247] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(std::isfinite(optimizer.gradient_norm()));
}

TEST(EuclideanNorm, EveryLengthAndAnyThreads) {
  at::manual_seed(5);
  const at::Tensor values = at::randn({200003}, at::kDouble);
  for (const int64_t length : {1, 7, 31, 32, 33, 65, 1001, 200003}) {
    const at::Tensor some = values.narrow(0, values.size(0) - length, length);
    for (const auto dtype : {at::kFloat, at::kDouble}) {
      const at::Tensor typed = some.to(dtype);
      const double wanted = typed.to(at::kDouble).norm().item<double>();
      const double norm = euclidean_norm(typed);
      EXPECT_NEAR(norm, wanted, 1e-13 * wanted) << length;
      const test::OneThread one_thread;
      EXPECT_EQ(euclidean_norm(typed), norm) << length;
    }
  }
}

TEST(AdamW, DecayGroupsOfTheBaseRule) {
  nn::Parameters parameters = two_parameters();
  EXPECT_TRUE(parameters.find("layer.weight").decays());
  EXPECT_FALSE(parameters.find("layer.bias").decays());
  EXPECT_TRUE(parameters.find("mask_token").decays());
}

}  // namespace
}  // namespace fcm::optim
