#include <gtest/gtest.h>

#include <filesystem>

#include "fcm/base/error.h"
#include "fcm/config/recipe_io.h"
#include "fcm/recipe/recipe.h"
#include "fcm/recipe/recipe_files.h"
#include "tests/support/error_of.h"

namespace fcm::recipe {
namespace {

const std::filesystem::path kShippedRecipes = std::filesystem::path(FCM_SOURCE_DIR) / "recipes";

Recipe shipped_finetune(const std::string& name, const std::vector<std::string>& overrides = {}) {
  return load_supervised_recipe(name, {kShippedRecipes}, overrides);
}

TEST(Recipe, TheBaseOnesArePublished) {
  for (const char* name : {"finetune_convvit_base_in1k_100ep", "finetune_vit_base_in1k_100ep"}) {
    SCOPED_TRACE(name);
    const Recipe recipe = shipped_finetune(name);
    EXPECT_EQ(recipe.classify().classifier.pool, "mean");
    EXPECT_EQ(recipe.classify().classifier.drop_path, 0.1);
    EXPECT_EQ(recipe.classify().classifier.layer_decay, 0.65);
    EXPECT_EQ(recipe.classify().classifier.eval_crop, 224.0 / 256);
    EXPECT_EQ(recipe.data.crop_scale, (std::vector<double>{0.08, 1}));
    EXPECT_EQ(recipe.classify().augment.rand_augment, "rand-m9-mstd0.5-inc1");
    EXPECT_EQ(recipe.classify().augment.erasing, 0.25);
    EXPECT_EQ(recipe.classify().augment.mixup, 0.8);
    EXPECT_EQ(recipe.classify().augment.cutmix, 1);
    EXPECT_EQ(recipe.classify().augment.smoothing, 0.1);
    EXPECT_EQ(recipe.optim.batch_size, 1024);
    EXPECT_EQ(recipe.optim.epochs, 100);
    EXPECT_EQ(recipe.optim.warmup_epochs, 5);
    EXPECT_DOUBLE_EQ(recipe.optim.lr(), 2e-3);
    EXPECT_EQ(recipe.optim.min_lr, 1e-6);
    EXPECT_EQ(recipe.optim.weight_decay, 0.05);
    EXPECT_EQ(recipe.optim.beta2, 0.999);
    EXPECT_EQ(recipe.optim.clip_norm, 0);
  }
  EXPECT_EQ(shipped_finetune("finetune_convvit_large_in1k_50ep").optim.epochs, 50);
}

TEST(Recipe, TheLinearProbesArePublished) {
  const Recipe conv_vit = shipped_finetune("linprobe_convvit_base_in1k_90ep");
  const Recipe vit = shipped_finetune("linprobe_vit_base_in1k_90ep");
  for (const Recipe& recipe : {conv_vit, vit}) {
    SCOPED_TRACE(recipe.row.name);
    EXPECT_EQ(recipe.classify().classifier.learns, "head");
    EXPECT_EQ(recipe.optim.epochs, 90);
    EXPECT_EQ(recipe.optim.warmup_epochs, 10);
    EXPECT_EQ(recipe.optim.base_lr, 0.1);
    EXPECT_EQ(recipe.optim.min_lr, 0);
    EXPECT_EQ(recipe.optim.weight_decay, 0);
    EXPECT_EQ(recipe.optim.beta1, 0.9) << "beta1 is the momentum of LARS";
    EXPECT_EQ(recipe.data.crop_scale, (std::vector<double>{0.08, 1}));
    EXPECT_TRUE(recipe.classify().augment.crop_once);
    EXPECT_EQ(recipe.classify().augment.rand_augment, "");
  }
  EXPECT_DOUBLE_EQ(conv_vit.optim.lr(), 1.6);
  EXPECT_DOUBLE_EQ(vit.optim.lr(), 6.4);
  EXPECT_EQ(vit.classify().classifier.pool, "token");
}

TEST(Recipe, AProbeRefusesWhatItDoesNotDo) {
  for (const char* key :
       {"classifier.drop_path=0.1", "classifier.ema_decay=0.9", "classifier.layer_decay=0.5",
        "augment.mixup=0.8", "augment.smoothing=0.1", "optim.clip_norm=1"}) {
    EXPECT_THROW(shipped_finetune("smoke_linprobe", {key}), Error) << key;
  }
  EXPECT_NO_THROW(
      shipped_finetune("smoke_linprobe", {"augment.rand_augment=rand-m9-mstd0.5-inc1"}));
}

TEST(Recipe, ReadsWhatItPrints) {
  const Recipe recipe = shipped_finetune("smoke_finetune", {"classifier.drop_path=0.3"});
  const std::string text = print_recipe(recipe, /*with_help=*/true);
  EXPECT_TRUE(recipe_for_task_of(text, "text").is<Classify>());
  const Recipe again = read_recipe(text, "again.toml");
  EXPECT_EQ(again.classify().classifier.drop_path, 0.3);
  EXPECT_EQ(recipe_hash(again), recipe_hash(recipe));
  EXPECT_NE(recipe_hash(shipped_finetune("smoke_finetune")), recipe_hash(recipe));
}

std::string fault_of(const std::vector<std::string>& overrides,
                     const std::string& name = "smoke_finetune") {
  return test::error_of(ExitCode::kUsage, [&] { shipped_finetune(name, overrides); });
}

TEST(Recipe, WhatCannotWorkIsSaid) {
  EXPECT_EQ(fault_of({}), "");
  EXPECT_NE(fault_of({"optim.batch_size=7"}).find("optim.batch_size = 7"), std::string::npos);
  EXPECT_EQ(fault_of({"optim.batch_size=7", "augment.mixup=0", "augment.cutmix=0"}), "");
  EXPECT_NE(fault_of({"run.knn_every_epochs=1"}).find("knn_every_epochs"), std::string::npos);
  EXPECT_NE(fault_of({"run.probe_every_epochs=1"}).find("probe_every_epochs = 1"),
            std::string::npos);
  EXPECT_NE(fault_of({"data.image_size=[33,32]"}).find("data.image_size"), std::string::npos);
  EXPECT_NE(fault_of({}, "smoke_pretrain").find("has no section [classifier]"), std::string::npos);
  EXPECT_THROW(load_pretraining_recipe("smoke_finetune", {kShippedRecipes}, {}), Error);
}

// Whether segmenter.taps are needed depends on the encoder, which may come from the checkpoint.
TEST(Recipe, ASegmentersEncoderIsLookedAtWhenItIsKnown) {
  const std::string taps = "segmenter.taps=[0,0,1,1]", custom = "encoder.size=custom";
  EXPECT_EQ(fault_of({taps}, "smoke_segment"), "");
  EXPECT_NE(fault_of({taps, custom}, "smoke_segment").find("\"conv_vit\" needs none"),
            std::string::npos);
  const std::vector<std::string> vit = {custom,
                                        "model.kind=vit",
                                        "encoder.strides=[8]",
                                        "encoder.dims=[32]",
                                        "encoder.depths=[2]",
                                        "encoder.mlp_ratios=[2]"};
  const std::string said = fault_of(vit, "smoke_segment");
  EXPECT_NE(said.find("names 0 blocks, but model.kind = \"vit\" needs four"), std::string::npos);
  EXPECT_NE(said.find("a ViT segmenter needs patches of 16 pixels"), std::string::npos);
  EXPECT_NE(
      fault_of({"data.channels=1", "data.mean=[0.5]", "data.deviation=[0.5]"}, "smoke_segment")
          .find("RGB images"),
      std::string::npos);
}

}  // namespace
}  // namespace fcm::recipe
