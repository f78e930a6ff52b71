// Whole updates on a GPU.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "fcm/optim/adamw.h"
#include "fcm/train/classifier_learner.h"
#include "fcm/train/state.h"
#include "fcm/train/step.h"
#include "tests/support/compare.h"
#include "tests/support/gpu.h"
#include "tests/train/small_classifier.h"

namespace fcm::train {
namespace {

// Some updates on a device; the loss of each.
struct Trained {
  explicit Trained(const Recipe& recipe, at::Device device)
      : model(autoencoder_options(recipe), 0, device),
        optimizer(model.parameters(), recipe.optim) {}

  void train(const Recipe& recipe, int steps) {
    const loader::Batch batch = random_batch(recipe);
    for (int step = 0; step < steps; ++step) {
      const auto compute = compute_type(recipe.model.precision, model.device());
      losses.push_back(update(model, optimizer, batch, recipe, compute, 4, 1e-3).loss);
    }
  }

  models::MaskedAutoencoder model;
  optim::AdamW optimizer;
  std::vector<double> losses;
};

checkpoint::TensorFile file_of(const PublishedTensors& tensors) {
  checkpoint::TensorFile file;
  file.tensors = tensors.views;
  return file;
}

class GpuStep : public test::GpuTest {};

TEST_F(GpuStep, Float32FollowsTheCpu) {
  const Recipe recipe = small_recipe();
  Trained cpu(recipe, at::kCPU), gpu(recipe, at::kCUDA);
  cpu.train(recipe, 8);
  gpu.train(recipe, 8);
  for (size_t step = 0; step < cpu.losses.size(); ++step) {
    EXPECT_NEAR(gpu.losses[step], cpu.losses[step], 1e-4 * cpu.losses[step]) << step;
  }
  EXPECT_LT(gpu.losses.back(), gpu.losses.front());
}

TEST_F(GpuStep, Bfloat16Learns) {
  Recipe recipe = small_recipe();
  recipe.model.precision = "bf16";
  Trained gpu(recipe, at::kCUDA);
  gpu.train(recipe, 20);
  EXPECT_LT(gpu.losses.back(), gpu.losses.front());
}

TEST_F(GpuStep, GoingOnFromStoredStateGivesTheSameBits) {
  const Recipe recipe = small_recipe();
  Trained whole(recipe, at::kCUDA), first(recipe, at::kCUDA), second(recipe, at::kCUDA);
  whole.train(recipe, 6);
  first.train(recipe, 3);
  const PublishedTensors model = model_tensors(first.model.parameters());
  const PublishedTensors moments = optimizer_tensors(first.model.parameters(), first.optimizer);
  load_model(second.model.parameters(), file_of(model), "memory");
  load_optimizer(second.model.parameters(), second.optimizer, file_of(moments), "memory");
  second.optimizer.set_steps(first.optimizer.steps());
  second.train(recipe, 3);
  EXPECT_TRUE(test::same_bits(second.model.parameters().flat_values().cpu(),
                              whole.model.parameters().flat_values().cpu()));
}

TEST_F(GpuStep, MemoryStaysFlat) {
  const Recipe recipe = small_recipe();
  Trained gpu(recipe, at::kCUDA);
  gpu.train(recipe, 10);
  const int64_t before = ops::cuda_memory().in_use;
  gpu.train(recipe, 1000);
  EXPECT_EQ(ops::cuda_memory().in_use, before);
}

// Everything that fine-tuning does to pictures and branches, and a moving average.
FinetuneRecipe classifier_recipe() {
  FinetuneRecipe recipe = small_finetune_recipe();
  recipe.augment.erasing = 0.5;
  recipe.augment.mixup = 0.8;
  recipe.augment.cutmix = 1;
  recipe.classifier.drop_path = 0.2;
  recipe.classifier.ema_decay = 0.9;
  return recipe;
}

// Losses of some updates, then the moving average's answers.
struct TrainedClassifier {
  TrainedClassifier(const FinetuneRecipe& recipe, at::Device device, int steps)
      : learner(models::Classifier(classifier_options(recipe, kClasses), 3, device), recipe) {
    const loader::Batch batch = labelled_batch(recipe);
    for (int step = 0; step < steps; ++step) losses.push_back(learner.update(batch, 4, 1e-3).loss);
    logits_BC =
        logits_of(learner.best(), batch, recipe.data, compute_type(recipe.model.precision, device));
  }

  ClassifierLearner learner;
  std::vector<double> losses;
  at::Tensor logits_BC;
};

TEST_F(GpuStep, AClassifierFollowsTheCpu) {
  const FinetuneRecipe recipe = classifier_recipe();
  const TrainedClassifier cpu(recipe, at::kCPU, 8), gpu(recipe, at::kCUDA, 8);
  for (size_t step = 0; step < cpu.losses.size(); ++step) {
    EXPECT_NEAR(gpu.losses[step], cpu.losses[step], 1e-4 * cpu.losses[step]) << step;
  }
  ASSERT_TRUE(gpu.logits_BC.is_cpu());
  EXPECT_LT((gpu.logits_BC - cpu.logits_BC).abs().max().item<double>(),
            1e-3 * cpu.logits_BC.abs().max().item<double>());
}

TEST_F(GpuStep, ABfloat16ClassifierLearns) {
  FinetuneRecipe recipe = classifier_recipe();
  recipe.augment = {};
  recipe.model.precision = "bf16";
  const TrainedClassifier gpu(recipe, at::kCUDA, 20);
  EXPECT_LT(gpu.losses.back(), gpu.losses.front());
}

TEST_F(GpuStep, AClassifierGivesTheSameBitsTwice) {
  const FinetuneRecipe recipe = classifier_recipe();
  const TrainedClassifier one(recipe, at::kCUDA, 5), other(recipe, at::kCUDA, 5);
  const auto values = [](const TrainedClassifier& trained) {
    return trained.learner.best().parameters().flat_values().cpu();
  };
  EXPECT_TRUE(test::same_bits(values(one), values(other)));
}

}  // namespace
}  // namespace fcm::train
