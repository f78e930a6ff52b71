// Downstream recipes that take their encoder from the checkpoint (encoder.size = "checkpoint").
#include "fcm/tasks/checkpoint_encoder.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "fcm/base/error.h"
#include "fcm/recipe/check.h"
#include "fcm/recipe/recipe_files.h"
#include "fcm/recipe/setup.h"
#include "fcm/tasks/run_folder.h"
#include "fcm/train/state.h"
#include "tests/support/error_of.h"

namespace fcm::tasks {
namespace {

const std::filesystem::path kRecipes = std::filesystem::path(FCM_SOURCE_DIR) / "recipes";

// A pretraining run of `recipe` at step 0.
class Pretrained {
 public:
  explicit Pretrained(const char* recipe, const std::vector<std::string>& set = {})
      : recipe_(recipe::load_pretraining_recipe(recipe, {kRecipes}, set)),
        model_(recipe::autoencoder_options(recipe_), 1),
        tensors_(train::model_tensors(model_.parameters())) {
    checkpoint.path = "runs/pretrained";
    checkpoint.model.tensors = tensors_.views;
    checkpoint.state["recipe"] = recipe::print_recipe(recipe_);
  }
  const recipe::Recipe& recipe() const { return recipe_; }
  checkpoint::Checkpoint checkpoint;

 private:
  recipe::Recipe recipe_;
  models::MaskedAutoencoder model_;
  train::PublishedTensors tensors_;
};

FinetuneRequest request_for(const char* recipe, const std::vector<std::string>& set = {}) {
  FinetuneRequest request;
  request.recipe = recipe::load_supervised_recipe(recipe, {kRecipes}, set);
  request.set = set;
  return request;
}

recipe::Recipe resolved(const FinetuneRequest& request, const Pretrained& pretrained) {
  SilentReporter silence;
  return resolved_recipe(request, &pretrained.checkpoint, silence);
}

std::string fault(const FinetuneRequest& request, const Pretrained& pretrained) {
  return test::error_of(ExitCode::kUsage, [&] { recipe::check(resolved(request, pretrained)); });
}

TEST(CheckpointEncoder, TakesKindSizesAndNormalisation) {
  for (const char* name : {"smoke_mae_pretrain", "smoke_pretrain", "demo_ema"}) {
    SCOPED_TRACE(name);
    const Pretrained pretrained(name);
    const recipe::Recipe& theirs = pretrained.recipe();
    const FinetuneRequest request = request_for("smoke_finetune");
    const recipe::Recipe recipe = resolved(request, pretrained);
    EXPECT_EQ(recipe.model.kind, theirs.model.kind);
    EXPECT_EQ(recipe.encoder.size, "custom") << "the stored recipe has explicit sizes";
    EXPECT_EQ(recipe.encoder.dims, theirs.encoder.dims);
    EXPECT_EQ(recipe.encoder.depths, theirs.encoder.depths);
    EXPECT_EQ(recipe.encoder.strides, theirs.encoder.strides);
    EXPECT_EQ(recipe.encoder.heads, theirs.encoder.heads);
    EXPECT_EQ(recipe.encoder.mlp_ratios, theirs.encoder.mlp_ratios);
    EXPECT_EQ(recipe.data.channels, theirs.data.channels);
    EXPECT_EQ(recipe.data.mean, theirs.data.mean);
    EXPECT_EQ(recipe.data.stddev, theirs.data.stddev);
    // Other keys, here two of them, come from the downstream recipe.
    EXPECT_EQ(recipe.data.crop_scale, request.recipe.data.crop_scale);
    EXPECT_EQ(recipe.optim.base_lr, request.recipe.optim.base_lr);
    EXPECT_NO_THROW(recipe::check(recipe));
    // A second launch of the run resolves to the same recipe.
    EXPECT_EQ(defining_text(recipe), defining_text(resolved(request, pretrained)));
  }
}

TEST(CheckpointEncoder, WithoutARecipeItsTensorsTell) {
  Pretrained pretrained("smoke_mae_pretrain");
  pretrained.checkpoint.state.erase("recipe");
  EXPECT_NE(fault(request_for("smoke_finetune"), pretrained).find("encoder.heads=N"),
            std::string::npos);
  const recipe::Recipe recipe =
      resolved(request_for("smoke_finetune", {"encoder.heads=4"}), pretrained);
  EXPECT_EQ(recipe.model.kind, "vit");
  EXPECT_EQ(recipe.encoder.dims, (std::vector<int64_t>{32}));
  EXPECT_EQ(recipe.encoder.heads, 4);
}

TEST(CheckpointEncoder, WhatIsSetWins) {
  const Pretrained pretrained("smoke_pretrain");
  const recipe::Recipe recipe = resolved(
      request_for("smoke_finetune", {"data.mean=[0.1,0.2,0.3]", "optim.epochs=2"}), pretrained);
  EXPECT_EQ(recipe.data.mean, (std::vector<double>{0.1, 0.2, 0.3}));
  EXPECT_EQ(recipe.data.stddev, pretrained.recipe().data.stddev);
  EXPECT_EQ(recipe.optim.epochs, 2);
}

TEST(CheckpointEncoder, FromScratchTheRecipesOwnKeysCount) {
  const FinetuneRequest request = request_for("smoke_finetune");
  ASSERT_EQ(request.recipe.encoder.size, "checkpoint");
  SilentReporter silence;
  const recipe::Recipe recipe = resolved_recipe(request, nullptr, silence);
  EXPECT_EQ(recipe.encoder.size, "custom");
  EXPECT_EQ(recipe.encoder.dims, (std::vector<int64_t>{16, 24, 32}));
  EXPECT_NO_THROW(recipe::check(recipe));
}

TEST(CheckpointEncoder, SizesThatARecipeNamesMustBeTheCheckpoints) {
  const Pretrained vit("smoke_mae_pretrain"), conv_vit("smoke_pretrain");
  const FinetuneRequest own = request_for("smoke_finetune", {"encoder.size=custom"});
  EXPECT_EQ(fault(own, conv_vit), "");
  EXPECT_EQ(fault(own, vit),
            "the encoder in runs/pretrained has model.kind = \"vit\", encoder.dims = [32], "
            "encoder.depths = [2], encoder.strides = [8], encoder.mlp_ratios = [2], the recipe "
            "smoke_finetune has model.kind = \"conv_vit\", encoder.dims = [16, 24, 32], "
            "encoder.depths = [1, 1, 2], encoder.strides = [2, 2, 2], encoder.mlp_ratios = [2, 2, "
            "2]; take the checkpoint's with --set encoder.size=checkpoint, or a recipe of that "
            "encoder");
  // No tensor shows the number of heads; it comes from the checkpoint's recipe.
  const Pretrained heads("smoke_pretrain", {"encoder.heads=4"});
  EXPECT_NE(fault(own, heads).find("encoder.heads = 4"), std::string::npos);
  // A shipped recipe of full size is refused, and accepted with the setting that the message
  // proposes.
  EXPECT_NE(fault(request_for("finetune_convvit_base_in1k_100ep"), vit).find("[256, 384, 768]"),
            std::string::npos);
  EXPECT_EQ(
      fault(request_for("finetune_convvit_base_in1k_100ep", {"encoder.size=checkpoint"}), vit), "");
  // With --allow-missing the user accepts that the sizes differ.
  FinetuneRequest shallow = own;
  shallow.allow_missing = {"blocks3.*"};
  EXPECT_EQ(fault(shallow, vit), "");
}

TEST(CheckpointEncoder, IsForDownstreamRecipesAlone) {
  try {
    recipe::load_pretraining_recipe("smoke_pretrain", {kRecipes}, {"encoder.size=checkpoint"});
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_NE(std::string(error.what()).find("is for finetune and linprobe"), std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace fcm::tasks
