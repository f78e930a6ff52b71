// Several targets in training: one update, the moving average on disk, plain decoders taken over.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "fcm/base/error.h"
#include "fcm/train/plain_decoder.h"
#include "fcm/train/state.h"
#include "fcm/train/step.h"
#include "tests/support/compare.h"
#include "tests/train/small_model.h"

namespace fcm::train {
namespace {

Recipe mixture_recipe() {
  Recipe recipe = small_recipe();
  recipe.decoder.depth = 4;
  recipe.targets.rgb = 0.5;
  recipe.targets.clip = 0.25;
  recipe.targets.ema = 0.25;
  recipe.targets.clip_tower = "tiny";
  return recipe;
}

struct Trained {
  explicit Trained(const Recipe& its_recipe)
      : recipe(its_recipe),
        model(autoencoder_options(recipe), 3),
        optimizer(model.parameters(), recipe.optim),
        teachers(recipe.targets, student_of(recipe)) {
    teachers.ema()->start_from(model.parameters());
  }

  StepResult step(int64_t micro_batch) {
    const StepResult result = update(model, optimizer, random_batch(recipe), recipe, at::kFloat,
                                     micro_batch, 1e-3, &teachers);
    teachers.ema()->follow(model.parameters(), 0.9);
    return result;
  }

  Recipe recipe;
  models::MaskedAutoencoder model;
  optim::AdamW optimizer;
  targets::Teachers teachers;
};

TEST(MixtureUpdate, LossIsTheWeightedSumOfWhatIsReported) {
  const StepResult whole = Trained(mixture_recipe()).step(6);
  ASSERT_EQ(whole.target_losses.size(), 3U);
  EXPECT_NEAR(whole.loss,
              0.5 * whole.target_losses.at("rgb") + 0.25 * whole.target_losses.at("clip") +
                  0.25 * whole.target_losses.at("ema"),
              1e-6);
  ASSERT_TRUE(whole.ema_spread);
  EXPECT_GT(whole.ema_spread->mean, 0);
  EXPECT_LT(whole.ema_spread->mean, 1.01);
  const StepResult pieces = Trained(mixture_recipe()).step(2);
  for (const auto& [name, loss] : whole.target_losses) {
    EXPECT_NEAR(pieces.target_losses.at(name), loss, 1e-5) << name;
  }
}

TEST(MixtureUpdate, OneTargetIsReportedByItsLossAlone) {
  Recipe recipe = mixture_recipe();
  recipe.targets.clip = recipe.targets.rgb = 0;
  EXPECT_TRUE(Trained(recipe).step(6).target_losses.empty());
}

checkpoint::TensorFile as_file(const PublishedTensors& tensors) {
  checkpoint::TensorFile file;
  file.tensors = tensors.views;
  return file;
}

// A checkpoint in memory, as trainer.cpp writes it.
struct Saved {
  explicit Saved(const Trained& trained)
      : model(model_tensors(trained.model.parameters())),
        optimizer(optimizer_tensors(trained.model.parameters(), trained.optimizer)) {
    Trained& teacher = const_cast<Trained&>(trained);
    add_ema(optimizer, teacher.teachers.ema()->parameters());
    checkpoint.path = "test";
    checkpoint.model = as_file(model);
    checkpoint.optimizer = as_file(optimizer);
    checkpoint.state = {{"counters", Counters{}.to_json()}, {"optimizer_steps", 2}};
  }
  PublishedTensors model, optimizer;
  checkpoint::Checkpoint checkpoint;
};

TEST(EmaOnDisk, ComesBackToTheBitAndTrainingGoesOnTheSame) {
  Trained first(mixture_recipe()), second(mixture_recipe());
  first.step(6);
  first.step(6);
  const Saved saved(first);
  load_training_state(second.model.parameters(), second.optimizer,
                      &second.teachers.ema()->parameters(), saved.checkpoint);
  const auto expect_same = [&] {
    for (const nn::Parameter& parameter : first.teachers.ema()->parameters().all()) {
      const nn::Parameter& other = second.teachers.ema()->parameters().find(parameter.name);
      EXPECT_TRUE(test::same_bits(other.value, parameter.value)) << parameter.name;
    }
    EXPECT_TRUE(test::same_bits(first.model.parameters().flat_values(),
                                second.model.parameters().flat_values()));
  };
  expect_same();
  EXPECT_EQ(first.step(6).loss, second.step(6).loss);
  expect_same();
  EXPECT_FALSE(test::same_bits(first.model.parameters().find("norm.weight").value,
                               first.teachers.ema()->parameters().find("norm.weight").value));
}

TEST(EmaOnDisk, IsAskedForWhereTheRecipeHasIt) {
  Trained first(mixture_recipe()), second(mixture_recipe());
  Saved saved(first);
  std::erase_if(saved.checkpoint.optimizer.tensors,
                [](const checkpoint::TensorView& view) { return view.name == "ema.norm.bias"; });
  try {
    load_training_state(second.model.parameters(), second.optimizer,
                        &second.teachers.ema()->parameters(), saved.checkpoint);
    FAIL() << "loaded";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kCheckpoint);
    EXPECT_NE(std::string(error.what()).find("missing: norm.bias"), std::string::npos)
        << error.what();
  }
}

// Eight blocks of pixels: seven shared ones, and the last for pixels, whose loss stays the same.
TEST(PlainDecoder, BecomesTheSharedBlocksAndTheBranchOfPixels) {
  Recipe plain = small_recipe();
  plain.decoder.depth = 3;
  models::MaskedAutoencoder before(autoencoder_options(plain), 3);
  Recipe recipe = plain;
  recipe.targets.ema = 1;
  recipe.decoder.depth = 4;
  models::MaskedAutoencoder after(autoencoder_options(recipe), 4);
  const PublishedTensors tensors = model_tensors(before.parameters());
  checkpoint::TensorFile file = as_file(tensors);
  split_plain_decoder(file.tensors, recipe, "test");
  const auto left = load_model(after.parameters(), file, "test", {{"reconstructors.ema.*"}, {}});
  EXPECT_EQ(left.size(), 16U);  // a block, a norm and a prediction

  const loader::Batch batch = random_batch(recipe);
  const masks::ViewPlan plan =
      masks::plan_for_samples(batch.sample_ids, 0, 0, before.grid(), recipe.masks);
  const at::Tensor pixels = pixels_of(pictures_of(batch), plan, before.geometry(), recipe.data);
  const targets::Features features{{"ema", at::zeros({6, 16, 16})}};
  const auto alone = before.forward(pixels, plan, at::kFloat);
  const auto mixed = after.forward(pixels, plan, at::kFloat, {}, features);
  EXPECT_TRUE(test::same_bits(mixed.losses[0].second, alone.losses[0].second));
}

TEST(PlainDecoder, MomentsAreRenamedAlike) {
  Recipe recipe = small_recipe();
  recipe.targets.ema = 1;
  recipe.decoder.depth = 3;
  const std::vector<std::string> names{
      "exp_avg.decoder_blocks.0.norm1.weight", "exp_avg_sq.decoder_blocks.1.norm1.weight",
      "exp_avg.decoder_norm.bias", "exp_avg.decoder_pred.bias", "exp_avg.decoder_embed.bias"};
  std::vector<checkpoint::TensorView> views;
  for (const std::string& name : names) views.push_back({name, "F32", {1}, {}});
  split_plain_decoder(views, recipe, "test");
  const std::vector<std::string> wanted{
      "exp_avg.decoder_blocks.0.norm1.weight",
      "exp_avg_sq.reconstructors.rgb.blocks.0.norm1.weight", "exp_avg.reconstructors.rgb.norm.bias",
      "exp_avg.reconstructors.rgb.pred.bias", "exp_avg.decoder_embed.bias"};
  for (size_t i = 0; i < wanted.size(); ++i) EXPECT_EQ(views[i].name, wanted[i]);
}

TEST(PlainDecoder, BlocksMustComeOutEven) {
  Recipe recipe = small_recipe();
  recipe.targets.ema = 1;
  recipe.decoder.depth = 8;
  std::vector<checkpoint::TensorView> views;
  for (int block = 0; block < 8; ++block) {
    views.push_back({"decoder_blocks." + std::to_string(block) + ".norm1.bias", "F32", {1}, {}});
  }
  views.push_back({"decoder_pred.bias", "F32", {1}, {}});
  try {
    split_plain_decoder(views, recipe, "plain.pth");
    FAIL() << "taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_NE(std::string(error.what()).find("set decoder.depth = 9"), std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace fcm::train
