#include "fcm/train/step.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/train/small_model.h"

namespace fcm::train {
namespace {

struct Trained {
  StepResult result;
  at::Tensor values;
};

Trained one_update(int64_t micro_batch, double clip_norm = 0) {
  Recipe recipe = small_recipe();
  recipe.optim.clip_norm = clip_norm;
  models::MaskedAutoencoder model(autoencoder_options(recipe), 3);
  optim::AdamW optimizer(model.parameters(), recipe.optim);
  const StepResult result =
      update(model, optimizer, random_batch(recipe), recipe, at::kFloat, micro_batch, 1e-3);
  return {result, model.parameters().flat_values().clone()};
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
  const Recipe recipe = small_recipe();
  models::MaskedAutoencoder model(autoencoder_options(recipe), 3);
  optim::AdamW optimizer(model.parameters(), recipe.optim);
  const loader::Batch batch = random_batch(recipe);
  const double first = update(model, optimizer, batch, recipe, at::kFloat, 6, 2e-3).loss;
  double last = first;
  for (int step = 0; step < 30; ++step) {
    last = update(model, optimizer, batch, recipe, at::kFloat, 6, 2e-3).loss;
  }
  EXPECT_LT(last, 0.8 * first);
}

TEST(Update, ANonFiniteGradientLeavesEverythingAsItWas) {
  const Recipe recipe = small_recipe();
  models::MaskedAutoencoder model(autoencoder_options(recipe), 3);
  optim::AdamW optimizer(model.parameters(), recipe.optim);
  const loader::Batch batch = random_batch(recipe);
  update(model, optimizer, batch, recipe, at::kFloat, 6, 1e-3);
  {
    const at::NoGradGuard no_grad;
    at::Tensor token = model.parameters().find("mask_token").value;
    token[0][0][0] = std::numeric_limits<float>::quiet_NaN();
  }
  const at::Tensor before = model.parameters().flat_values().clone();
  const at::Tensor moments = optimizer.second_moments().clone();
  const StepResult result = update(model, optimizer, batch, recipe, at::kFloat, 6, 1e-3);
  EXPECT_FALSE(result.applied);
  EXPECT_EQ(optimizer.steps(), 1);
  EXPECT_TRUE(at::allclose(model.parameters().flat_values(), before, 0, 0, /*equal_nan=*/true));
  EXPECT_TRUE(optimizer.second_moments().equal(moments));
}

TEST(Update, ClippingBoundsTheFirstStepsMoments) {
  const Trained free = one_update(6), clipped = one_update(6, 1e-3);
  EXPECT_GT(free.result.gradient_norm, 1e-3);
  EXPECT_EQ(free.result.gradient_norm, clipped.result.gradient_norm);  // reported before clipping
  EXPECT_FALSE(free.values.equal(clipped.values));
}

}  // namespace
}  // namespace fcm::train
