// Training steps of a segmenter: division into micro-batches, non-finite values, and the state that
// determines the next step.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "fcm/train/learners/passes.h"
#include "tests/support/compare.h"
#include "tests/support/error_of.h"
#include "tests/train/learner_values.h"
#include "tests/train/small_segmenter.h"

namespace fcm::train {
namespace {

SegmenterLearner fresh_segmenter(const recipe::Recipe& recipe) {
  return SegmenterLearner(small_segmenter(recipe), recipe);
}

TEST(SegmenterLearner, MakesAsManyPassesInEveryRank) {
  EXPECT_EQ(passes_of_update(16, 1, 16), 1);
  EXPECT_EQ(passes_of_update(16, 1, 4), 4);
  EXPECT_EQ(passes_of_update(7, 1, 3), 3);
  EXPECT_EQ(passes_of_update(16, 2, 16), 1);
  EXPECT_EQ(passes_of_update(16, 2, 3), 3);
  EXPECT_EQ(passes_of_update(5, 2, 1), 2)
      << "no rank may have an empty pass, so the slices of 2 and 3 images take two passes";
  EXPECT_EQ(passes_of_update(2, 2, 1), 1);
}

TEST(SegmenterLearner, TakesStatisticsOfAPass) {
  const test::OneThread one_thread;
  const recipe::Recipe recipe = small_segmenter_recipe();
  const loader::Batch batch = first_scenes(recipe);
  SegmenterLearner whole = fresh_segmenter(recipe), parts = fresh_segmenter(recipe);
  const StepResult of_whole = whole.update(batch, {1e-3, 6}),
                   of_parts = parts.update(batch, {1e-3, 3});
  ASSERT_TRUE(of_whole.applied && of_parts.applied);
  EXPECT_GT(std::abs(of_whole.loss - of_parts.loss), 1e-4)
      << "batch statistics must depend on the micro-batch";
  const std::string said = test::error_of(ExitCode::kUsage, [&] {
    parts.update(batch, {1e-3, 1});
  });
  EXPECT_NE(said.find("batches of two images or more"), std::string::npos) << said;
}

TEST(SegmenterLearner, WhatIsNotFiniteChangesNothingNorAnyStatistic) {
  const test::OneThread one_thread;
  const recipe::Recipe recipe = small_segmenter_recipe();
  SegmenterLearner learner = fresh_segmenter(recipe);
  const loader::Batch batch = first_scenes(recipe);
  ASSERT_TRUE(learner.update(batch, {1e-3, 6}).applied);
  at::Tensor bias = learner.model().parameters().find("backbone.patch_embed1.proj.bias").value;
  const at::NoGradGuard no_grad;
  const at::Tensor kept = bias.clone();
  const auto before = values_of(learner);
  bias.fill_(std::numeric_limits<float>::quiet_NaN());
  {
    const at::AutoGradMode grad(true);
    EXPECT_FALSE(learner.update(batch, {1e-3, 3}).applied);
  }
  bias.copy_(kept);
  EXPECT_TRUE(same_values(values_of(learner), before));
  EXPECT_EQ(learner.updates(), 1);
  {
    const at::AutoGradMode grad(true);
    EXPECT_TRUE(learner.update(batch, {1e-3, 6}).applied);
  }
  EXPECT_FALSE(same_values(values_of(learner), before)) << "a finite step must change the values";
}

TEST(SegmenterLearner, GoesOnFromItsStateWithTheSameBits) {
  const test::OneThread one_thread;
  const recipe::Recipe recipe = small_segmenter_recipe();
  const loader::Batch batch = first_scenes(recipe);
  SegmenterLearner whole = fresh_segmenter(recipe), second = fresh_segmenter(recipe),
                   other = fresh_segmenter(recipe);
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
  for (SegmenterLearner* learner : {&whole, &second, &other}) learner->update(batch, {1e-3, 6});
  EXPECT_TRUE(same_values(values_of(second), values_of(whole)));
  EXPECT_FALSE(same_values(values_of(other), values_of(whole)))
      << "negative control: the state of `other` was not restored";
}

}  // namespace
}  // namespace fcm::train
