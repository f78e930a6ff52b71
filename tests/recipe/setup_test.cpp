#include "fcm/recipe/setup.h"

#include <gtest/gtest.h>

namespace fcm::recipe {
namespace {

Recipe base_recipe() {
  Recipe recipe;
  recipe.encoder = encoder::named_size(encoder::Kind::kConvVit, "base");
  return recipe;
}

TEST(Setup, MultiplyAddsOfTheBaseModel) {
  // 44,815 M with one depthwise pass, of which the prediction of visible patches (a quarter of
  // 308.3 M) is never computed.
  EXPECT_NEAR(forward_multiply_adds(base_recipe()) / 1e6, 44815 - 308.3 / 4, 20);
}

Recipe base_vit_recipe() {
  Recipe recipe;
  recipe.model.kind = "vit";
  recipe.encoder = encoder::named_size(encoder::Kind::kVit, "base");
  return recipe;
}

// 12 blocks of 12 * 768^2 a token and 2 * 197 * 768 for attention, on 197 tokens, and the patches'
// embedding: the 17.6 G that are published for ViT-B/16.
TEST(Setup, MultiplyAddsOfTheBaseVit) {
  Recipe recipe = base_vit_recipe();
  recipe.pretrain().masks.ratio = 0;
  recipe.pretrain().decoder = {4, 0, 1, 4};
  const double blocks = 12 * 197.0 * (12 * 768.0 * 768 + 2 * 197 * 768);
  const double embeddings = 196.0 * 768 * 768 + 197.0 * 768 * 4;
  EXPECT_EQ(forward_multiply_adds(recipe), blocks + embeddings);
  EXPECT_NEAR(forward_multiply_adds(recipe) / 1e9, 17.6, 0.05);
}

// Four views need four class tokens, four decoders and the same patches once.
TEST(Setup, ViewsOfTheVitCostAlike) {
  Recipe all = base_vit_recipe(), one = base_vit_recipe();
  one.masks.views = {1};
  EXPECT_NEAR(forward_multiply_adds(all) / forward_multiply_adds(one), 4.0, 1e-9);
  EXPECT_NEAR(
      activation_bytes_per_image(all, at::kFloat) / activation_bytes_per_image(one, at::kFloat),
      4.0, 1e-9);
}

TEST(Setup, OneKeptViewCostsAQuarterOfTheEncoder) {
  Recipe all = base_recipe(), one = base_recipe();
  one.masks.views = {1};
  EXPECT_NEAR(forward_multiply_adds(all) / forward_multiply_adds(one), 4.0, 1e-9);
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

TEST(Setup, PrecisionIsWhatWasAskedFor) {
  EXPECT_EQ(compute_type("fp32"), at::kFloat);
  EXPECT_EQ(compute_type("bf16"), at::kBFloat16);
}

}  // namespace
}  // namespace fcm::recipe
