// Whole training steps on a GPU.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "fcm/models/inputs.h"
#include "fcm/recipe/setup.h"
#include "fcm/train/learners/classify.h"
#include "fcm/train/learners/pretrain.h"
#include "fcm/train/state.h"
#include "tests/support/compare.h"
#include "tests/support/gpu.h"
#include "tests/train/small_classifier.h"

namespace fcm::train {
namespace {

// A learner on a device, and the losses of the steps it was trained for.
struct Trained {
  explicit Trained(const recipe::Recipe& recipe, at::Device device)
      : learner({recipe::autoencoder_options(recipe), 0, device}, recipe) {}

  void train(const recipe::Recipe& recipe, int steps) {
    const loader::Batch batch = random_batch(recipe);
    for (int step = 0; step < steps; ++step) {
      losses.push_back(learner.update(batch, {1e-3, 4}).loss);
    }
  }
  at::Tensor values() const { return learner.model().parameters().flat_values().cpu(); }

  PretrainLearner learner;
  std::vector<double> losses;
};

formats::TensorFile file_of(const PublishedTensors& tensors) {
  formats::TensorFile file;
  file.tensors = tensors.views;
  return file;
}

class GpuStep : public test::GpuTest {};

TEST_F(GpuStep, Float32FollowsTheCpu) {
  const recipe::Recipe recipe = small_recipe();
  Trained cpu(recipe, at::kCPU), gpu(recipe, at::kCUDA);
  cpu.train(recipe, 8);
  gpu.train(recipe, 8);
  for (size_t step = 0; step < cpu.losses.size(); ++step) {
    EXPECT_NEAR(gpu.losses[step], cpu.losses[step], 1e-4 * cpu.losses[step]) << step;
  }
  EXPECT_LT(gpu.losses.back(), gpu.losses.front());
}

TEST_F(GpuStep, Bfloat16Learns) {
  recipe::Recipe recipe = small_recipe();
  recipe.model.precision = "bf16";
  Trained gpu(recipe, at::kCUDA);
  gpu.train(recipe, 20);
  EXPECT_LT(gpu.losses.back(), gpu.losses.front());
}

TEST_F(GpuStep, GoingOnFromStoredStateGivesTheSameBits) {
  const recipe::Recipe recipe = small_recipe();
  Trained whole(recipe, at::kCUDA), first(recipe, at::kCUDA), second(recipe, at::kCUDA);
  whole.train(recipe, 6);
  first.train(recipe, 3);
  const PublishedTensors model = first.learner.model_state();
  const PublishedTensors moments = first.learner.optimizer_state();
  checkpoint::Checkpoint saved;
  saved.path = "memory";
  saved.model = file_of(model);
  saved.optimizer = file_of(moments);
  saved.state = {{"counters", Counters{}.to_json()}, {"optimizer_steps", first.learner.updates()}};
  second.learner.restore(saved);
  second.train(recipe, 3);
  EXPECT_TRUE(test::same_bits(second.values(), whole.values()));
}

TEST_F(GpuStep, MemoryStaysFlat) {
  const recipe::Recipe recipe = small_recipe();
  Trained gpu(recipe, at::kCUDA);
  gpu.train(recipe, 10);
  const int64_t before = ops::cuda_memory().in_use;
  gpu.train(recipe, 1000);
  EXPECT_EQ(ops::cuda_memory().in_use, before);
}

// A recipe with all augmentations and the drop path of fine-tuning, and with a moving average.
recipe::Recipe classifier_recipe() {
  recipe::Recipe recipe = small_finetune_recipe();
  recipe.classify().augment.erasing = 0.5;
  recipe.classify().augment.mixup = 0.8;
  recipe.classify().augment.cutmix = 1;
  recipe.classify().classifier.drop_path = 0.2;
  recipe.classify().classifier.ema_decay = 0.9;
  return recipe;
}

// A classifier trained on a device: the losses of its steps, and the logits of its moving average.
struct TrainedClassifier {
  TrainedClassifier(const recipe::Recipe& recipe, at::Device device, int steps)
      : learner(models::Classifier(recipe::classifier_options(recipe, kClasses), 3, device),
                recipe) {
    const loader::Batch batch = labelled_batch(recipe);
    for (int step = 0; step < steps; ++step)
      losses.push_back(learner.update(batch, {1e-3, 4}).loss);
    logits_BC = models::logits_of(learner.best(), batch, recipe.data,
                                  recipe::compute_type(recipe.model.precision, device));
  }

  ClassifierLearner learner;
  std::vector<double> losses;
  at::Tensor logits_BC;
};

TEST_F(GpuStep, AClassifierFollowsTheCpu) {
  const recipe::Recipe recipe = classifier_recipe();
  const TrainedClassifier cpu(recipe, at::kCPU, 8), gpu(recipe, at::kCUDA, 8);
  for (size_t step = 0; step < cpu.losses.size(); ++step) {
    EXPECT_NEAR(gpu.losses[step], cpu.losses[step], 1e-4 * cpu.losses[step]) << step;
  }
  ASSERT_TRUE(gpu.logits_BC.is_cpu());
  EXPECT_LT((gpu.logits_BC - cpu.logits_BC).abs().max().item<double>(),
            1e-3 * cpu.logits_BC.abs().max().item<double>());
}

TEST_F(GpuStep, ABfloat16ClassifierLearns) {
  recipe::Recipe recipe = classifier_recipe();
  recipe.classify().augment = {};
  recipe.model.precision = "bf16";
  const TrainedClassifier gpu(recipe, at::kCUDA, 20);
  EXPECT_LT(gpu.losses.back(), gpu.losses.front());
}

TEST_F(GpuStep, AClassifierGivesTheSameBitsTwice) {
  const recipe::Recipe recipe = classifier_recipe();
  const TrainedClassifier one(recipe, at::kCUDA, 5), other(recipe, at::kCUDA, 5);
  const auto values = [](const TrainedClassifier& trained) {
    return trained.learner.best().parameters().flat_values().cpu();
  };
  EXPECT_TRUE(test::same_bits(values(one), values(other)));
}

}  // namespace
}  // namespace fcm::train
