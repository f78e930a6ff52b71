// Training with several targets: the losses of a step, and the EMA teacher in checkpoints.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "fcm/base/error.h"
#include "fcm/recipe/setup.h"
#include "fcm/train/learners/pretrain.h"
#include "fcm/train/state.h"
#include "tests/support/compare.h"
#include "tests/train/small_model.h"

namespace fcm::train {
namespace {

recipe::Recipe mixture_recipe() {
  recipe::Recipe recipe = small_recipe();
  recipe.pretrain().decoder.depth = 4;
  recipe.pretrain().targets.rgb = 0.5;
  recipe.pretrain().targets.clip = 0.25;
  recipe.pretrain().targets.ema = 0.25;
  recipe.pretrain().targets.clip_tower = "tiny";
  recipe.pretrain().targets.ema_momentum = 0.9;
  return recipe;
}

struct TrainedMixture {
  explicit TrainedMixture(const recipe::Recipe& its_recipe)
      : recipe(its_recipe),
        learner({recipe::autoencoder_options(recipe), 3}, recipe,
                std::make_unique<targets::Teachers>(recipe.pretrain().targets,
                                                    recipe::student_of(recipe))) {}

  StepResult step(int64_t micro_batch) {
    return learner.update(random_batch(recipe), {1e-3, micro_batch, /*step=*/0, /*of_steps=*/10});
  }
  nlohmann::json log_line() {
    SilentReporter silence;
    nlohmann::json line = nlohmann::json::object();
    learner.add_to_step_line(line, 1, silence);
    return line;
  }
  const nn::Parameters& values() const { return learner.model().parameters(); }
  nn::Parameters& average() { return learner.teachers()->ema()->parameters(); }

  recipe::Recipe recipe;
  PretrainLearner learner;
};

TEST(MixtureUpdate, LossIsTheWeightedSumOfWhatIsReported) {
  TrainedMixture trained(mixture_recipe());
  const StepResult whole = trained.step(6);
  ASSERT_EQ(whole.target_losses.size(), 3U);
  EXPECT_NEAR(whole.loss,
              0.5 * whole.target_losses.at("rgb") + 0.25 * whole.target_losses.at("clip") +
                  0.25 * whole.target_losses.at("ema"),
              1e-6);
  const auto spread = trained.log_line().at("ema_spread").get<double>();
  EXPECT_GT(spread, 0);
  EXPECT_LT(spread, 1.01);
  const StepResult pieces = TrainedMixture(mixture_recipe()).step(2);
  for (const auto& [name, loss] : whole.target_losses) {
    EXPECT_NEAR(pieces.target_losses.at(name), loss, 1e-5) << name;
  }
}

TEST(MixtureUpdate, OneTargetIsReportedByItsLossAlone) {
  recipe::Recipe recipe = mixture_recipe();
  recipe.pretrain().targets.clip = recipe.pretrain().targets.rgb = 0;
  EXPECT_TRUE(TrainedMixture(recipe).step(6).target_losses.empty());
}

formats::TensorFile as_file(const PublishedTensors& tensors) {
  formats::TensorFile file;
  file.tensors = tensors.views;
  return file;
}

// A checkpoint in memory, as the loop writes it.
struct Saved {
  explicit Saved(const TrainedMixture& trained)
      : model(trained.learner.model_state()), optimizer(trained.learner.optimizer_state()) {
    checkpoint.path = "test";
    checkpoint.model = as_file(model);
    checkpoint.optimizer = as_file(optimizer);
    checkpoint.state = {{"counters", Counters{}.to_json()}, {"optimizer_steps", 2}};
  }
  PublishedTensors model, optimizer;
  checkpoint::Checkpoint checkpoint;
};

TEST(EmaOnDisk, ComesBackToTheBitAndTrainingGoesOnTheSame) {
  TrainedMixture first(mixture_recipe()), second(mixture_recipe());
  first.step(6);
  first.step(6);
  const Saved saved(first);
  second.learner.restore(saved.checkpoint);
  const auto expect_same = [&] {
    for (const nn::Parameter& parameter : first.average().all()) {
      const nn::Parameter& other = second.average().find(parameter.name);
      EXPECT_TRUE(test::same_bits(other.value, parameter.value)) << parameter.name;
    }
    EXPECT_TRUE(test::same_bits(first.values().flat_values(), second.values().flat_values()));
  };
  expect_same();
  EXPECT_EQ(first.step(6).loss, second.step(6).loss);
  expect_same();
  EXPECT_FALSE(test::same_bits(first.values().find("norm.weight").value,
                               first.average().find("norm.weight").value));
}

TEST(EmaOnDisk, MissingTensorsAreAnError) {
  TrainedMixture first(mixture_recipe()), second(mixture_recipe());
  Saved saved(first);
  std::erase_if(saved.checkpoint.optimizer.tensors,
                [](const formats::TensorView& view) { return view.name == "ema.norm.bias"; });
  try {
    second.learner.restore(saved.checkpoint);
    FAIL() << "a checkpoint without ema.norm.bias was loaded";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kCheckpoint);
    EXPECT_NE(std::string(error.what()).find("missing: norm.bias"), std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace fcm::train
