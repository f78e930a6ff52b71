#include "fcm/train/setup.h"

#include <gtest/gtest.h>

namespace fcm::train {
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
}  // namespace fcm::train
