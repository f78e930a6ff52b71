#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

#include "fcm/recipe/setup.h"
#include "fcm/train/learners/pretrain.h"
#include "tests/train/small_model.h"

namespace fcm::train {
namespace {

struct Updated {
  StepResult result;
  at::Tensor values;
};

Updated one_update(int64_t micro_batch, double clip_norm = 0) {
  recipe::Recipe recipe = small_recipe();
  recipe.optim.clip_norm = clip_norm;
  PretrainLearner learner({recipe::autoencoder_options(recipe), 3}, recipe);
  const StepResult result = learner.update(random_batch(recipe), {1e-3, micro_batch});
  return {result, learner.model().parameters().flat_values().clone()};
}

TEST(Update, MicroBatchesAddUpToTheBatch) {
  const Updated whole = one_update(6), pieces = one_update(2), uneven = one_update(4);
  EXPECT_TRUE(whole.result.applied);
  EXPECT_NEAR(pieces.result.loss, whole.result.loss, 1e-6);
  EXPECT_NEAR(uneven.result.loss, whole.result.loss, 1e-6);
  EXPECT_NEAR(pieces.result.gradient_norm, whole.result.gradient_norm, 1e-5);
  EXPECT_NEAR(uneven.result.gradient_norm, whole.result.gradient_norm, 1e-5);
}

// Losses and gradients of the ranks' slices add up to those of the batch, for slices of any size.
TEST(Update, SlicesAddUpToTheBatch) {
  const recipe::Recipe recipe = small_recipe();
  const loader::Batch whole = random_batch(recipe);
  const auto part = [&](const loader::Batch& batch) {
    PretrainLearner learner({recipe::autoencoder_options(recipe), 3}, recipe);
    const StepResult result = learner.update(batch, {1e-3, 6});
    return std::pair(result.loss, learner.model().parameters().flat_gradients().clone());
  };
  const auto [loss, gradients] = part(whole);
  const auto [loss_of_four, gradients_of_four] = part(slice_of(whole, 0, 4));
  const auto [loss_of_two, gradients_of_two] = part(slice_of(whole, 4, 2));
  const auto distance = [&, &all = gradients](const at::Tensor& sum) {
    return (sum - all).norm().item<double>() / all.norm().item<double>();
  };
  EXPECT_NEAR(loss_of_four + loss_of_two, loss, 1e-6);
  EXPECT_LT(distance(gradients_of_four + gradients_of_two), 1e-5);
  EXPECT_GT(distance((gradients_of_four + gradients_of_two) / 2), 0.1);
  loader::Batch nowhere = whole;
  nowhere.global_batch = 0;
  EXPECT_THROW(part(nowhere), std::logic_error);
}

TEST(Update, RepeatsToTheBit) {
  const Updated first = one_update(3), second = one_update(3);
  EXPECT_EQ(first.result.loss, second.result.loss);
  EXPECT_TRUE(first.values.equal(second.values));
}

TEST(Update, LossFallsOverAFewSteps) {
  const recipe::Recipe recipe = small_recipe();
  PretrainLearner learner({recipe::autoencoder_options(recipe), 3}, recipe);
  const loader::Batch batch = random_batch(recipe);
  const double first = learner.update(batch, {2e-3, 6}).loss;
  double last = first;
  for (int step = 0; step < 30; ++step) {
    last = learner.update(batch, {2e-3, 6}).loss;
  }
  EXPECT_LT(last, 0.8 * first);
}

TEST(Update, ANonFiniteGradientLeavesEverythingAsItWas) {
  const recipe::Recipe recipe = small_recipe();
  PretrainLearner learner({recipe::autoencoder_options(recipe), 3}, recipe);
  const loader::Batch batch = random_batch(recipe);
  learner.update(batch, {1e-3, 6});
  {
    const at::NoGradGuard no_grad;
    at::Tensor token = learner.model().parameters().find("mask_token").value;
    token[0][0][0] = std::numeric_limits<float>::quiet_NaN();
  }
  const at::Tensor before = learner.model().parameters().flat_values().clone();
  const at::Tensor moments = learner.optimizer().second_moments().clone();
  const StepResult result = learner.update(batch, {1e-3, 6});
  EXPECT_FALSE(result.applied);
  EXPECT_EQ(learner.updates(), 1);
  EXPECT_TRUE(
      at::allclose(learner.model().parameters().flat_values(), before, 0, 0, /*equal_nan=*/true));
  EXPECT_TRUE(learner.optimizer().second_moments().equal(moments));
}

TEST(Update, ClippingBoundsTheFirstStepsMoments) {
  const Updated free = one_update(6), clipped = one_update(6, 1e-3);
  EXPECT_GT(free.result.gradient_norm, 1e-3);
  EXPECT_EQ(free.result.gradient_norm, clipped.result.gradient_norm);  // the norm before clipping
  EXPECT_FALSE(free.values.equal(clipped.values));
}

}  // namespace
}  // namespace fcm::train
