#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "fcm/base/error.h"
#include "fcm/loss/classification.h"
#include "fcm/models/inputs.h"
#include "fcm/train/learners/classify.h"
#include "tests/train/small_classifier.h"

namespace fcm::train {
namespace {

ClassifierLearner fresh(const recipe::Recipe& recipe) {
  return ClassifierLearner(models::Classifier(recipe::classifier_options(recipe, kClasses), 3),
                           recipe);
}

// The first step of a new model.
StepResult first_update(const recipe::Recipe& recipe, int64_t micro_batch) {
  return fresh(recipe).update(labelled_batch(recipe), {1e-3, micro_batch});
}

TEST(ClassifierLearner, TheLossIsThatOfTheLogits) {
  const recipe::Recipe recipe = small_finetune_recipe();
  const models::Classifier model(recipe::classifier_options(recipe, kClasses), 3);
  const loader::Batch batch = labelled_batch(recipe);
  const at::Tensor expected = loss::label_smoothing_cross_entropy(
      models::logits_of(model, batch, recipe.data, at::kFloat),
      at::tensor(at::ArrayRef<int64_t>(batch.targets.labels()), at::kLong),
      recipe.classify().augment.smoothing);
  EXPECT_NEAR(first_update(recipe, 6).loss, expected.item<double>(), 1e-6);
}

TEST(ClassifierLearner, MicroBatchesGiveTheSameGradientsWithEveryChangeOfImages) {
  recipe::Recipe recipe = small_finetune_recipe();
  recipe.classify().augment.erasing = 1;
  recipe.classify().augment.mixup = 0.8;
  recipe.classify().augment.cutmix = 1;
  recipe.classify().classifier.drop_path = 0.5;
  const StepResult whole = first_update(recipe, 6), pieces = first_update(recipe, 4);
  ASSERT_TRUE(whole.applied);
  EXPECT_NEAR(pieces.loss, whole.loss, 1e-6);
  EXPECT_NEAR(pieces.gradient_norm, whole.gradient_norm, 1e-5 * whole.gradient_norm);
  const recipe::Recipe plain = small_finetune_recipe();
  EXPECT_GT(std::abs(first_update(plain, 6).gradient_norm - whole.gradient_norm),
            1e-3 * whole.gradient_norm)
      << "random augmentation must change the gradient";
}

TEST(ClassifierLearner, SlicesAreWeighedByTheWholeBatch) {
  const recipe::Recipe recipe = small_finetune_recipe();
  const loader::Batch whole = labelled_batch(recipe);
  const double expected = fresh(recipe).update(whole, {1e-3, 6}).loss;
  const double four = fresh(recipe).update(slice_of(whole, 0, 4), {1e-3, 4}).loss,
               two = fresh(recipe).update(slice_of(whole, 4, 2), {1e-3, 4}).loss;
  EXPECT_NEAR(four + two, expected, 1e-6);
  EXPECT_LT(std::max(four, two), 0.9 * expected);
}

TEST(ClassifierLearner, WhatIsNotFiniteChangesNothing) {
  recipe::Recipe recipe = small_finetune_recipe();
  recipe.classify().classifier.ema_decay = 0.5;
  ClassifierLearner learner = fresh(recipe);
  {
    const at::NoGradGuard no_grad;
    at::Tensor bias = learner.model().parameters().find("head.bias").value;
    bias.fill_(std::numeric_limits<double>::quiet_NaN());
  }
  const auto weight = [](const models::Classifier& model) {
    return model.parameters().find("head.weight").value.detach();
  };
  const at::Tensor before = weight(learner.model()).clone();
  EXPECT_FALSE(learner.update(labelled_batch(recipe), {1e-3, 6}).applied);
  EXPECT_TRUE(at::equal(weight(learner.model()), before));
  EXPECT_TRUE(at::equal(weight(*learner.average()), before));
  EXPECT_EQ(learner.updates(), 0);
}

TEST(ClassifierLearner, AnImageWithoutALabelIsRefused) {
  const recipe::Recipe recipe = small_finetune_recipe();
  loader::Batch batch = labelled_batch(recipe);
  batch.targets.set(2, loader::Label{-1});
  EXPECT_THROW(fresh(recipe).update(batch, {1e-3, 6}), Error);
}

at::Tensor flat(const models::Classifier& model) { return model.parameters().flat_values(); }

TEST(ClassifierLearner, TheAverageFollowsTheWeights) {
  recipe::Recipe recipe = small_finetune_recipe();
  EXPECT_EQ(fresh(recipe).average(), nullptr);
  recipe.classify().classifier.ema_decay = 0.75;
  ClassifierLearner learner = fresh(recipe);
  at::Tensor expected = flat(learner.model()).clone();
  EXPECT_TRUE(at::equal(flat(*learner.average()), expected))
      << "the average must start equal to the weights";
  for (int step = 0; step < 3; ++step) {
    ASSERT_TRUE(learner.update(labelled_batch(recipe), {1e-2, 6}).applied);
    expected = 0.75 * expected + 0.25 * flat(learner.model());
  }
  EXPECT_LT((flat(*learner.average()) - expected).abs().max().item<double>(), 1e-6);
  EXPECT_GT((flat(*learner.average()) - flat(learner.model())).abs().max().item<double>(), 1e-3)
      << "negative control: the comparison must detect a difference";
  EXPECT_EQ(&learner.best(), learner.average());
}

// A checkpoint in memory, without a file.
checkpoint::Checkpoint saved(const PublishedTensors& model, const PublishedTensors& optimizer,
                             int64_t updates) {
  checkpoint::Checkpoint checkpoint;
  checkpoint.path = "saved";
  checkpoint.model.tensors = model.views;
  checkpoint.optimizer.tensors = optimizer.views;
  checkpoint.state = {{"counters", Counters{}.to_json()}, {"optimizer_steps", updates}};
  return checkpoint;
}

TEST(ClassifierLearner, GoesOnFromItsStateWithTheSameBits) {
  recipe::Recipe recipe = small_finetune_recipe();
  recipe.classify().classifier.ema_decay = 0.75;
  const loader::Batch batch = labelled_batch(recipe);
  ClassifierLearner whole = fresh(recipe), second = fresh(recipe);
  whole.update(batch, {1e-3, 6});
  {
    const PublishedTensors model = whole.model_state(), optimizer = whole.optimizer_state();
    second.restore(saved(model, optimizer, whole.updates()));
  }
  ClassifierLearner other = fresh(recipe);  // negative control: its state is not restored
  for (ClassifierLearner* learner : {&whole, &second, &other}) learner->update(batch, {1e-3, 6});
  EXPECT_TRUE(at::equal(flat(second.model()), flat(whole.model())));
  EXPECT_TRUE(at::equal(flat(*second.average()), flat(*whole.average())));
  EXPECT_FALSE(at::equal(flat(other.model()), flat(whole.model())));
}

}  // namespace
}  // namespace fcm::train
