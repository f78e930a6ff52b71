#include "fcm/train/finetune_recipe.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "fcm/base/error.h"
#include "fcm/config/recipe_io.h"
#include "fcm/train/recipe_files.h"

namespace fcm::train {
namespace {

const std::filesystem::path kRecipes = std::filesystem::path(FCM_SOURCE_DIR) / "recipes";

FinetuneRecipe shipped(const std::string& name, const std::vector<std::string>& overrides = {}) {
  return load_finetune_recipe(name, {kRecipes}, overrides);
}

TEST(FinetuneRecipe, TheBaseOnesArePublished) {
  for (const char* name : {"finetune_convvit_base_in1k_100ep", "finetune_vit_base_in1k_100ep"}) {
    SCOPED_TRACE(name);
    const FinetuneRecipe recipe = shipped(name);
    EXPECT_EQ(recipe.classifier.pool, "mean");
    EXPECT_EQ(recipe.classifier.drop_path, 0.1);
    EXPECT_EQ(recipe.classifier.layer_decay, 0.65);
    EXPECT_EQ(recipe.classifier.eval_crop, 224.0 / 256);
    EXPECT_EQ(recipe.data.crop_scale, (std::vector<double>{0.08, 1}));
    EXPECT_EQ(recipe.augment.rand_augment, "rand-m9-mstd0.5-inc1");
    EXPECT_EQ(recipe.augment.erasing, 0.25);
    EXPECT_EQ(recipe.augment.mixup, 0.8);
    EXPECT_EQ(recipe.augment.cutmix, 1);
    EXPECT_EQ(recipe.augment.smoothing, 0.1);
    EXPECT_EQ(recipe.optim.batch_size, 1024);
    EXPECT_EQ(recipe.optim.epochs, 100);
    EXPECT_EQ(recipe.optim.warmup_epochs, 5);
    EXPECT_DOUBLE_EQ(recipe.optim.lr(), 2e-3);
    EXPECT_EQ(recipe.optim.min_lr, 1e-6);
    EXPECT_EQ(recipe.optim.weight_decay, 0.05);
    EXPECT_EQ(recipe.optim.beta2, 0.999);
    EXPECT_EQ(recipe.optim.clip_norm, 0);
  }
  EXPECT_EQ(shipped("finetune_convvit_large_in1k_50ep").optim.epochs, 50);
}

TEST(FinetuneRecipe, TheLinearProbesArePublished) {
  const FinetuneRecipe conv_vit = shipped("linprobe_convvit_base_in1k_90ep");
  const FinetuneRecipe vit = shipped("linprobe_vit_base_in1k_90ep");
  for (const FinetuneRecipe& recipe : {conv_vit, vit}) {
    SCOPED_TRACE(recipe.row.name);
    EXPECT_EQ(recipe.classifier.learns, "head");
    EXPECT_EQ(recipe.optim.epochs, 90);
    EXPECT_EQ(recipe.optim.warmup_epochs, 10);
    EXPECT_EQ(recipe.optim.base_lr, 0.1);
    EXPECT_EQ(recipe.optim.min_lr, 0);
    EXPECT_EQ(recipe.optim.weight_decay, 0);
    EXPECT_EQ(recipe.optim.beta1, 0.9) << "LARS's momentum";
    EXPECT_EQ(recipe.data.crop_scale, (std::vector<double>{0.08, 1}));
    EXPECT_TRUE(recipe.augment.crop_once);
    EXPECT_EQ(recipe.augment.rand_augment, "");
  }
  EXPECT_DOUBLE_EQ(conv_vit.optim.lr(), 1.6);
  EXPECT_DOUBLE_EQ(vit.optim.lr(), 6.4);
  EXPECT_EQ(vit.classifier.pool, "token");
}

TEST(FinetuneRecipe, AProbeRefusesWhatItDoesNotDo) {
  for (const char* key :
       {"classifier.drop_path=0.1", "classifier.ema_decay=0.9", "classifier.layer_decay=0.5",
        "augment.mixup=0.8", "augment.smoothing=0.1", "optim.clip_norm=1"}) {
    EXPECT_THROW(shipped("smoke_linprobe", {key}), Error) << key;
  }
  EXPECT_NO_THROW(shipped("smoke_linprobe", {"augment.rand_augment=rand-m9-mstd0.5-inc1"}));
}

TEST(FinetuneRecipe, ReadsWhatItPrints) {
  const FinetuneRecipe recipe = shipped("smoke_finetune", {"classifier.drop_path=0.3"});
  const std::string text = print_recipe(recipe, /*with_help=*/true);
  EXPECT_TRUE(is_finetune_recipe(text));
  const FinetuneRecipe again = read_finetune_recipe(text, "again.toml");
  EXPECT_EQ(again.classifier.drop_path, 0.3);
  EXPECT_EQ(recipe_hash(again), recipe_hash(recipe));
  EXPECT_NE(recipe_hash(shipped("smoke_finetune")), recipe_hash(recipe));
}

std::string fault_of(const std::vector<std::string>& overrides,
                     const std::string& name = "smoke_finetune") {
  try {
    shipped(name, overrides);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    return error.what();
  }
  return "";
}

TEST(FinetuneRecipe, WhatCannotWorkIsSaid) {
  EXPECT_EQ(fault_of({}), "");
  EXPECT_NE(fault_of({"optim.batch_size=7"}).find("optim.batch_size = 7"), std::string::npos);
  EXPECT_EQ(fault_of({"optim.batch_size=7", "augment.mixup=0", "augment.cutmix=0"}), "");
  EXPECT_NE(fault_of({"run.knn_every_epochs=1"}).find("knn_every_epochs"), std::string::npos);
  EXPECT_NE(fault_of({"run.probe_every_epochs=1"}).find("probe_every_epochs = 1"),
            std::string::npos);
  EXPECT_NE(fault_of({"data.image_size=[33,32]"}).find("data.image_size"), std::string::npos);
  EXPECT_NE(fault_of({}, "smoke_pretrain").find("has no section [classifier]"), std::string::npos);
  EXPECT_THROW(load_recipe("smoke_finetune", {kRecipes}, {}), Error);
}

}  // namespace
}  // namespace fcm::train
