// The upstream linear probe: only the head learns; normalisation over the batch; the probe's state.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>

#include "fcm/base/error.h"
#include "fcm/train/learners/probe.h"
#include "tests/train/small_model.h"

namespace fcm::train {
namespace {

constexpr int64_t kClasses = 3;

recipe::Recipe small_probe_recipe() {
  const recipe::Recipe pretraining = small_recipe();
  recipe::Recipe recipe;
  recipe.task = recipe::Classify{};
  recipe.model = pretraining.model;
  recipe.encoder = pretraining.encoder;
  recipe.data = pretraining.data;
  recipe.optim = pretraining.optim;
  recipe.optim.weight_decay = 0;
  recipe.classify().classifier.learns = "head";
  return recipe;
}

loader::Batch labelled_batch(const recipe::Recipe& recipe) {
  loader::Batch batch = random_batch(recipe);
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < batch.batch; ++i) labels.push_back(i % kClasses);
  batch.targets = loader::Targets(std::move(labels));
  return batch;
}

ProbeLearner fresh_probe(const recipe::Recipe& recipe) {
  return ProbeLearner(models::Classifier(recipe::classifier_options(recipe, kClasses), 3), recipe);
}

at::Tensor tensor(const PublishedTensors& tensors, const std::string& name) {
  for (const formats::TensorView& view : tensors.views) {
    if (view.name == name) return to_tensor(view);
  }
  ADD_FAILURE() << "missing tensor " << name;
  return {};
}

double difference(const at::Tensor& one, const at::Tensor& other) {
  return (one - other).abs().max().item<double>();
}

TEST(ProbeLearner, LearnsWithTheHeadAlone) {
  const recipe::Recipe recipe = small_probe_recipe();
  ProbeLearner learner = fresh_probe(recipe);
  const loader::Batch batch = labelled_batch(recipe);
  std::map<std::string, at::Tensor> before;
  const PublishedTensors start = learner.model_state();
  for (const formats::TensorView& view : start.views) {
    before[view.name] = to_tensor(view);
  }
  double first = 0, last = 0;
  for (int step = 0; step < 400; ++step) {
    const StepResult result = learner.update(batch, {/*lr=*/2, 6});
    ASSERT_TRUE(result.applied);
    (step == 0 ? first : last) = result.loss;
  }
  EXPECT_LT(last, 0.9 * first);
  const PublishedTensors after = learner.model_state();
  for (const auto& [name, value] : before) {
    const double moved = difference(value, tensor(after, name));
    if (name.starts_with("head.")) {
      EXPECT_GT(moved, 0) << name;
    } else {
      EXPECT_EQ(moved, 0) << name;
    }
  }
}

TEST(ProbeLearner, NormalisesOverTheWholeBatchNotOverMicroBatches) {
  const recipe::Recipe recipe = small_probe_recipe();
  const loader::Batch batch = labelled_batch(recipe);
  ProbeLearner whole = fresh_probe(recipe), pieces = fresh_probe(recipe);
  EXPECT_NEAR(whole.update(batch, {1, 6}).loss, pieces.update(batch, {1, 2}).loss, 1e-5);
  const auto mean = [](const ProbeLearner& learner) {
    return tensor(learner.model_state(), "head.0.running_mean");
  };
  EXPECT_LT(difference(mean(whole), mean(pieces)), 1e-5);
}

TEST(ProbeLearner, GoesOnFromItsStateWithTheSameBits) {
  const recipe::Recipe recipe = small_probe_recipe();
  const loader::Batch batch = labelled_batch(recipe);
  ProbeLearner whole = fresh_probe(recipe), second = fresh_probe(recipe),
               other = fresh_probe(recipe);
  whole.update(batch, {1, 6});
  {
    const PublishedTensors model = whole.model_state(), optimizer = whole.optimizer_state();
    checkpoint::Checkpoint saved;
    saved.path = "saved";
    saved.model.tensors = model.views;
    saved.optimizer.tensors = optimizer.views;
    saved.state = {{"optimizer_steps", 1}};
    second.restore(saved);
    saved.optimizer.tensors.pop_back();
    EXPECT_THROW(other.restore(saved), Error);
  }
  ProbeLearner behind = fresh_probe(recipe);
  for (ProbeLearner* learner : {&whole, &second, &behind}) learner->update(batch, {1, 6});
  for (const char* name : {"head.1.weight", "head.1.bias", "head.0.running_var"}) {
    const at::Tensor expected = tensor(whole.model_state(), name);
    EXPECT_EQ(difference(tensor(second.model_state(), name), expected), 0) << name;
    EXPECT_GT(difference(tensor(behind.model_state(), name), expected), 0) << name;
  }
  EXPECT_EQ(second.updates(), 2);
}

TEST(ProbeLearner, WhatIsNotFiniteChangesNothing) {
  const recipe::Recipe recipe = small_probe_recipe();
  models::Classifier encoder(recipe::classifier_options(recipe, kClasses), 3);
  {
    const at::NoGradGuard no_grad;
    at::Tensor bias = encoder.parameters().find("fc_norm.bias").value;
    bias.fill_(std::nan(""));
  }
  ProbeLearner learner(std::move(encoder), recipe);
  EXPECT_FALSE(learner.update(labelled_batch(recipe), {1, 6}).applied);
  const PublishedTensors after = learner.model_state();
  EXPECT_EQ(tensor(after, "head.0.running_mean").abs().max().item<double>(), 0);
  EXPECT_EQ(difference(tensor(after, "head.0.running_var"), at::ones({16})), 0);
  EXPECT_EQ(learner.updates(), 0);
}

}  // namespace
}  // namespace fcm::train
