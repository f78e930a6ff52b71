#include "fcm/recipe/setup.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "fcm/recipe/recipe_files.h"

namespace fcm::recipe {
namespace {

const std::filesystem::path kRecipeFolder = std::filesystem::path(FCM_SOURCE_DIR) / "recipes";

Recipe base_recipe() {
  Recipe recipe;
  recipe.encoder = encoder::named_size("conv_vit", "base");
  return recipe;
}

TEST(Setup, MultiplyAddsOfTheBaseModel) {
  // 44,815 M with one depthwise pass for all views, minus the predictions of visible patches (a
  // quarter of 308.3 M), which are not computed.
  EXPECT_NEAR(forward_multiply_adds(base_recipe()) / 1e6, 44815 - 308.3 / 4, 20);
}

Recipe base_vit_recipe() {
  Recipe recipe;
  recipe.model.kind = "vit";
  recipe.encoder = encoder::named_size("vit", "base");
  return recipe;
}

// ViT-B/16 has 17.6 G multiply-adds: the patch embedding, and 12 blocks on 197 tokens. Per token a
// block has 12 * 768^2 for linear layers and 2 * 197 * 768 for attention. The test's decoder adds
// only its embedding, 4 channels wide.
TEST(Setup, MultiplyAddsOfTheBaseVit) {
  Recipe recipe = base_vit_recipe();
  recipe.pretrain().masks.ratio = 0;
  recipe.pretrain().decoder = {4, 0, 1, 4};
  const double blocks = 12 * 197.0 * (12 * 768.0 * 768 + 2 * 197 * 768);
  const double embeddings = 196.0 * 768 * 768 + 197.0 * 768 * 4;
  EXPECT_EQ(forward_multiply_adds(recipe), blocks + embeddings);
  EXPECT_NEAR(forward_multiply_adds(recipe) / 1e9, 17.6, 0.05);
}

// Four views cost four times as much as one: each has a quarter of the patches, a class token and a
// decoder pass.
TEST(Setup, ViewsOfTheVitCostAlike) {
  Recipe all = base_vit_recipe(), one = base_vit_recipe();
  one.pretrain().masks.views = {1};
  EXPECT_NEAR(forward_multiply_adds(all) / forward_multiply_adds(one), 4.0, 1e-9);
  EXPECT_NEAR(
      activation_bytes_per_image(all, at::kFloat) / activation_bytes_per_image(one, at::kFloat),
      4.0, 1e-9);
}

TEST(Setup, OneKeptViewCostsAQuarterOfTheEncoder) {
  Recipe all = base_recipe(), one = base_recipe();
  one.pretrain().masks.views = {1};
  EXPECT_NEAR(forward_multiply_adds(all) / forward_multiply_adds(one), 4.0, 1e-9);
}

// Each of the 4 views has eight decoder blocks. A block has 37 queries (of 147 hidden patches), the
// keys, values and mix of twelve sources for 49 tokens, and the attention of the queries to these
// keys. After the blocks, the drawn patches are predicted.
TEST(Setup, MultiplyAddsOfACrossDecoder) {
  const Recipe recipe = load_recipe("fastcross_convmae_base_in1k_50ep", {kRecipeFolder}, {});
  Recipe shallow = recipe, plain = recipe;
  shallow.pretrain().decoder.depth = 0;
  const double block = 37.0 * 512 * 512 * 10 + 49.0 * 768 * (2 * 512 + 12) + 2.0 * 37 * 49 * 512;
  EXPECT_EQ(forward_multiply_adds(recipe) - forward_multiply_adds(shallow), 8 * 4 * block);
  plain.pretrain().decoder = {};  // upstream's decoder
  plain.pretrain().decoder.depth = 0;
  // Upstream's decoder predicts 147 patches per view and embeds 49 tokens.
  const double of_147 = 4 * (147 * 768.0 * 512 + 49 * 768.0 * 512);
  EXPECT_EQ(forward_multiply_adds(plain) - forward_multiply_adds(shallow),
            of_147 - 4 * 37 * 768.0 * 512);
}

// Costs as recorded by an earlier, independent implementation of the counting.
struct Counted {
  const char* recipe;
  double training_flops, forward_multiply_adds, teacher_multiply_adds, activation_bytes;
};

TEST(Costs, OfShippedRecipesOfPretraining) {
  for (const Counted& counted :
       {Counted{"convmae_base_in1k_1600ep", 67107640320, 11184606720, 0, 62795264},
        Counted{"convmae_base_in1k_200ep", 67107640320, 11184606720, 0, 62795264},
        Counted{"demo", 84768768, 14128128, 0, 685056},
        Counted{"demo_ema", 118013952, 16217088, 10355712, 801792},
        Counted{"fastconvmae_base_in1k_50ep", 268430561280, 44738426880, 0, 251181056},
        Counted{"fastconvmae_ct_base_in1k_100ep", 352955531264, 44969637888, 41568851968,
                251181056},
        Counted{"fastconvmae_ct_base_in1k_50ep", 352955531264, 44969637888, 41568851968, 251181056},
        Counted{"fastconvmae_ct_large_in1k_200ep", 743159631872, 93591085056, 90806560768,
                382943232},
        Counted{"fastmae_vit_base_in1k_400ep", 232194441216, 38699073536, 0, 192692224},
        Counted{"mae_vit_base_in1k_1600ep", 58048610304, 9674768384, 0, 48173056},
        Counted{"smoke_mae_pretrain", 2077824, 346304, 0, 25920},
        Counted{"smoke_mixture", 33559040, 4826624, 2299648, 461824},
        Counted{"smoke_pretrain", 13919232, 2319872, 0, 216064}}) {
    const Recipe recipe = load_recipe(counted.recipe, {kRecipeFolder}, {});
    EXPECT_EQ(training_flops(recipe), counted.training_flops) << counted.recipe;
    EXPECT_EQ(forward_multiply_adds(recipe), counted.forward_multiply_adds) << counted.recipe;
    EXPECT_EQ(teacher_multiply_adds(recipe), counted.teacher_multiply_adds) << counted.recipe;
    EXPECT_EQ(activation_bytes_per_image(recipe, at::kFloat), counted.activation_bytes)
        << counted.recipe;
    EXPECT_EQ(activation_bytes_per_image(recipe, at::kBFloat16), counted.activation_bytes / 2)
        << counted.recipe;
  }
}

TEST(Costs, OfShippedRecipesOfClassifiers) {
  for (const auto& [name, flops] : std::vector<std::pair<std::string, double>>{
           {"finetune_convvit_base_in1k_100ep", 143568789504},
           {"finetune_convvit_large_in1k_50ep", 438840901632},
           {"finetune_demo", 61691904},
           {"finetune_vit_base_in1k_100ep", 105378361344},
           {"linprobe_convvit_base_in1k_90ep", 47856263168},
           {"linprobe_vit_base_in1k_90ep", 35126120448},
           {"smoke_finetune", 8659968},
           {"smoke_linprobe", 2886656}}) {
    EXPECT_EQ(training_flops(load_supervised_recipe(name, {kRecipeFolder}, {})), flops) << name;
  }
}

TEST(Setup, MicroBatchesSplitTheBatchEvenly) {
  Recipe recipe = base_recipe();
  recipe.optim.batch_size = 100;
  recipe.optim.micro_batch = 30;
  EXPECT_EQ(choose_micro_batch(recipe, at::kFloat, 1e15), 25);
  recipe.optim.micro_batch = 0;
  EXPECT_EQ(choose_micro_batch(recipe, at::kFloat, 1e15), 100);
  EXPECT_EQ(choose_micro_batch(recipe, at::kFloat, 1.0), 1);
  const double room_for_ten = 10.5 / 0.5 * activation_bytes_per_image(recipe, at::kFloat);
  EXPECT_EQ(choose_micro_batch(recipe, at::kFloat, room_for_ten), 10);
  EXPECT_EQ(choose_micro_batch(recipe, at::kBFloat16, room_for_ten), 20);
}

// Batch normalisation needs at least two images per micro-batch.
TEST(Setup, MicroBatchesOfSegmentersAreChosenOfTwoImagesAtLeast) {
  Recipe recipe = load_supervised_recipe("upernet_convvit_base_ade20k_160k", {kRecipeFolder}, {});
  EXPECT_EQ(choose_micro_batch(recipe, at::kFloat, 1e15), 16);
  EXPECT_EQ(choose_micro_batch(recipe, at::kFloat, 1.0), 2);
  recipe.optim.batch_size = 5;
  EXPECT_EQ(choose_micro_batch(recipe, at::kFloat, 1.0), 3);
  recipe.optim.batch_size = 3;
  EXPECT_EQ(choose_micro_batch(recipe, at::kFloat, 1.0), 3);
  recipe.optim.micro_batch = 1;
  EXPECT_EQ(choose_micro_batch(recipe, at::kFloat, 1e15), 1) << "the recipe sets it explicitly";
}

TEST(Setup, PrecisionIsWhatWasAskedFor) {
  EXPECT_EQ(compute_type("fp32"), at::kFloat);
  EXPECT_EQ(compute_type("bf16"), at::kBFloat16);
}

}  // namespace
}  // namespace fcm::recipe
