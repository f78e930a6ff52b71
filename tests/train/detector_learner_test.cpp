// Training steps of a detector: losses, non-finite values, the state that determines the next step,
// and learning.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <string>

#include "tests/support/compare.h"
#include "tests/train/learner_values.h"
#include "tests/train/small_detector.h"

namespace fcm::train {
namespace {

DetectorLearner fresh_detector(const recipe::Recipe& recipe) {
  return DetectorLearner(small_detector(recipe), recipe);
}

TEST(DetectorLearner, HasFiveLossesWhoseSumIsItsOwn) {
  const recipe::Recipe recipe = small_detector_recipe();
  DetectorLearner learner = fresh_detector(recipe);
  const StepResult result = learner.update(first_objects(recipe), {1e-3, 6});
  ASSERT_TRUE(result.applied);
  ASSERT_EQ(result.target_losses.size(), 5u);
  double sum = 0;
  for (const auto& [name, value] : result.target_losses) {
    EXPECT_GT(value, 0) << name;
    sum += value;
  }
  EXPECT_NEAR(sum, result.loss, 1e-5 * result.loss);
}

TEST(DetectorLearner, WhatIsNotFiniteChangesNothingNorAnyStatistic) {
  const test::OneThread one_thread;
  const recipe::Recipe recipe = small_detector_recipe();
  DetectorLearner learner = fresh_detector(recipe);
  const loader::Batch batch = first_objects(recipe);
  ASSERT_TRUE(learner.update(batch, {1e-3, 6}).applied);
  for (const char* name :
       {"backbone.bottom_up.patch_embed1.proj.bias",
        "proposal_generator.rpn_head.anchor_deltas.bias", "roi_heads.mask_head.deconv.bias"}) {
    at::Tensor bias = learner.model().parameters().find(name).value;
    const at::NoGradGuard no_grad;
    const at::Tensor kept = bias.clone();
    const auto before = values_of(learner);
    bias.fill_(std::numeric_limits<float>::quiet_NaN());
    {
      const at::AutoGradMode grad(true);
      EXPECT_FALSE(learner.update(batch, {1e-3, 3}).applied) << name;
    }
    bias.copy_(kept);
    EXPECT_TRUE(same_values(values_of(learner), before)) << name;
  }
  EXPECT_EQ(learner.updates(), 1);
  const auto before = values_of(learner);
  EXPECT_TRUE(learner.update(batch, {1e-3, 6}).applied);
  EXPECT_FALSE(same_values(values_of(learner), before)) << "a finite step must change the values";
}

TEST(DetectorLearner, GoesOnFromItsStateWithTheSameBits) {
  const test::OneThread one_thread;
  const recipe::Recipe recipe = small_detector_recipe();
  const loader::Batch batch = first_objects(recipe);
  DetectorLearner whole = fresh_detector(recipe), second = fresh_detector(recipe),
                  other = fresh_detector(recipe);
  whole.update(batch, {1e-3, 6});
  {
    const PublishedTensors model = whole.model_state(), optimizer = whole.optimizer_state();
    checkpoint::Checkpoint checkpoint;
    checkpoint.path = "saved";
    checkpoint.model.tensors = model.views;
    checkpoint.optimizer.tensors = optimizer.views;
    checkpoint.state = {{"counters", Counters{}.to_json()}, {"optimizer_steps", whole.updates()}};
    second.restore(checkpoint);
  }
  for (DetectorLearner* learner : {&whole, &second, &other}) learner->update(batch, {1e-3, 6, 1});
  EXPECT_TRUE(same_values(values_of(second), values_of(whole)));
  EXPECT_FALSE(same_values(values_of(other), values_of(whole)))
      << "negative control: the state of `other` was not restored";
}

TEST(DetectorLearner, DrawsByStep) {
  const test::OneThread one_thread;
  const recipe::Recipe recipe = small_detector_recipe();
  const loader::Batch batch = first_objects(recipe);
  const auto loss_at = [&](int64_t step) {
    DetectorLearner learner = fresh_detector(recipe);
    StepPlan plan{1e-3, 6};
    plan.step = step;
    return learner.update(batch, plan).loss;
  };
  EXPECT_EQ(loss_at(0), loss_at(0));
  EXPECT_NE(loss_at(0), loss_at(1));
}

TEST(DetectorLearner, Learns) {
  recipe::Recipe recipe = small_detector_recipe();
  recipe.detect().detector.drop_path = 0;
  const loader::Batch batch = first_objects(recipe);
  DetectorLearner learner = fresh_detector(recipe);
  // Compares means over ten steps, because the sampled anchors and regions differ from step to
  // step.
  constexpr int64_t kSteps = 200, kMeanOf = 10;
  double first = 0, last = 0;
  for (int64_t step = 0; step < kSteps; ++step) {
    StepPlan plan{5e-3, 6};
    plan.step = step;
    const double loss = learner.update(batch, plan).loss / kMeanOf;
    if (step < kMeanOf) first += loss;
    if (step >= kSteps - kMeanOf) last += loss;
  }
  EXPECT_LT(last, 0.7 * first);
}

}  // namespace
}  // namespace fcm::train
