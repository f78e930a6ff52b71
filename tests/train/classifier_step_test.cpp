#include "fcm/train/classifier_step.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "fcm/base/error.h"
#include "fcm/loss/classification.h"
#include "tests/train/small_model.h"

namespace fcm::train {
namespace {

constexpr int64_t kClasses = 3;

FinetuneRecipe small_finetune_recipe() {
  const Recipe pretraining = small_recipe();
  FinetuneRecipe recipe;
  recipe.encoder = pretraining.encoder;
  recipe.data = pretraining.data;
  recipe.optim = pretraining.optim;
  recipe.augment.smoothing = 0.1;
  return recipe;
}

loader::Batch labelled_batch(const FinetuneRecipe& recipe) {
  loader::Batch batch = random_batch(encoder_recipe(recipe));
  for (int64_t i = 0; i < batch.batch; ++i) batch.labels.push_back(i % kClasses);
  return batch;
}

// One update of a fresh model.
StepResult first_update(const FinetuneRecipe& recipe, int64_t micro_batch) {
  models::Classifier model(classifier_options(recipe, kClasses), 3);
  optim::AdamW optimizer(model.parameters(), recipe.optim);
  return update(model, optimizer, labelled_batch(recipe), recipe, at::kFloat, micro_batch, 1e-3);
}

TEST(ClassifierStep, TheLossIsThatOfTheLogits) {
  const FinetuneRecipe recipe = small_finetune_recipe();
  const models::Classifier model(classifier_options(recipe, kClasses), 3);
  const loader::Batch batch = labelled_batch(recipe);
  const at::Tensor expected = loss::label_smoothing_cross_entropy(
      logits_of(model, batch, recipe.data, at::kFloat),
      at::tensor(at::ArrayRef<int64_t>(batch.labels), at::kLong), recipe.augment.smoothing);
  EXPECT_NEAR(first_update(recipe, 6).loss, expected.item<double>(), 1e-6);
}

TEST(ClassifierStep, MicroBatchesGiveTheSameGradientsWithEveryChangeOfPictures) {
  FinetuneRecipe recipe = small_finetune_recipe();
  recipe.augment.erasing = 1;
  recipe.augment.mixup = 0.8;
  recipe.augment.cutmix = 1;
  recipe.classifier.drop_path = 0.5;
  const StepResult whole = first_update(recipe, 6), pieces = first_update(recipe, 4);
  ASSERT_TRUE(whole.applied);
  EXPECT_NEAR(pieces.loss, whole.loss, 1e-6);
  EXPECT_NEAR(pieces.gradient_norm, whole.gradient_norm, 1e-5 * whole.gradient_norm);
  FinetuneRecipe plain = small_finetune_recipe();
  EXPECT_GT(std::abs(first_update(plain, 6).gradient_norm - whole.gradient_norm),
            1e-3 * whole.gradient_norm)
      << "the changes change something";
}

TEST(ClassifierStep, WhatIsNotFiniteChangesNothing) {
  const FinetuneRecipe recipe = small_finetune_recipe();
  models::Classifier model(classifier_options(recipe, kClasses), 3);
  optim::AdamW optimizer(model.parameters(), recipe.optim);
  {
    const at::NoGradGuard no_grad;
    at::Tensor bias = model.parameters().find("head.bias").value;
    bias.fill_(std::numeric_limits<double>::quiet_NaN());
  }
  const at::Tensor before = model.parameters().find("head.weight").value.detach().clone();
  const StepResult step =
      update(model, optimizer, labelled_batch(recipe), recipe, at::kFloat, 6, 1e-3);
  EXPECT_FALSE(step.applied);
  EXPECT_TRUE(at::equal(model.parameters().find("head.weight").value.detach(), before));
}

TEST(ClassifierStep, APictureWithoutALabelIsRefused) {
  const FinetuneRecipe recipe = small_finetune_recipe();
  models::Classifier model(classifier_options(recipe, kClasses), 3);
  optim::AdamW optimizer(model.parameters(), recipe.optim);
  loader::Batch batch = labelled_batch(recipe);
  batch.labels[2] = -1;
  EXPECT_THROW(update(model, optimizer, batch, recipe, at::kFloat, 6, 1e-3), Error);
}

}  // namespace
}  // namespace fcm::train
