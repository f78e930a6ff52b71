#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "fcm/recipe/setup.h"
#include "fcm/train/learners/pretrain.h"
#include "tests/train/small_model.h"

namespace fcm::train {
namespace {

struct Trained {
  StepResult result;
  at::Tensor values;
};

Trained one_update(int64_t micro_batch, double clip_norm = 0) {
  recipe::Recipe recipe = small_recipe();
  recipe.optim.clip_norm = clip_norm;
  PretrainLearner learner({recipe::autoencoder_options(recipe), 3}, recipe);
  const StepResult result = learner.update(random_batch(recipe), {1e-3, micro_batch});
  return {result, learner.model().parameters().flat_values().clone()};
}

TEST(Update, MicroBatchesAddUpToTheBatch) {
  const Trained whole = one_update(6), pieces = one_update(2), uneven = one_update(4);
  EXPECT_TRUE(whole.result.applied);
  EXPECT_NEAR(pieces.result.loss, whole.result.loss, 1e-6);
  EXPECT_NEAR(uneven.result.loss, whole.result.loss, 1e-6);
  EXPECT_NEAR(pieces.result.gradient_norm, whole.result.gradient_norm, 1e-5);
  EXPECT_NEAR(uneven.result.gradient_norm, whole.result.gradient_norm, 1e-5);
}

TEST(Update, RepeatsToTheBit) {
  const Trained first = one_update(3), second = one_update(3);
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
  const Trained free = one_update(6), clipped = one_update(6, 1e-3);
  EXPECT_GT(free.result.gradient_norm, 1e-3);
  EXPECT_EQ(free.result.gradient_norm, clipped.result.gradient_norm);  // reported before clipping
  EXPECT_FALSE(free.values.equal(clipped.values));
}

}  // namespace
}  // namespace fcm::train
