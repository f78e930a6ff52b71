// Plain decoders (of one target) loaded into models with several targets.
#include "fcm/interop/plain_decoder.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "fcm/base/error.h"
#include "fcm/models/inputs.h"
#include "fcm/train/state.h"
#include "tests/support/compare.h"
#include "tests/train/small_model.h"

namespace fcm::interop {
namespace {

// The first two blocks of a plain decoder of three become the shared blocks, its last block becomes
// the only block of the pixel branch; the pixel loss stays the same.
TEST(PlainDecoder, BecomesTheSharedBlocksAndTheBranchOfPixels) {
  recipe::Recipe plain = train::small_recipe();
  plain.pretrain().decoder.depth = 3;
  models::MaskedAutoencoder before(recipe::autoencoder_options(plain), 3);
  recipe::Recipe recipe = plain;
  recipe.pretrain().targets.ema = 1;
  recipe.pretrain().decoder.depth = 4;
  models::MaskedAutoencoder after(recipe::autoencoder_options(recipe), 4);
  const train::PublishedTensors tensors = train::model_tensors(before.parameters());
  formats::TensorFile file;
  file.tensors = tensors.views;
  split_plain_decoder(file.tensors, recipe, "test");
  const auto left =
      train::load_model(after.parameters(), file, "test", {{"reconstructors.ema.*"}, {}});
  EXPECT_EQ(left.size(), 16U);  // of the EMA branch: a block, a norm and a prediction

  const loader::Batch batch = train::random_batch(recipe);
  const masks::ViewPlan plan =
      masks::plan_for_samples(batch.sample_ids, 0, 0, before.grid(), recipe.pretrain().masks);
  const at::Tensor pixels =
      models::pixels_of(models::images_of(batch), plan, before.geometry(), recipe.data);
  const targets::Features features{{"ema", at::zeros({6, 16, 16})}};
  const auto alone = before.forward(pixels, plan, at::kFloat);
  const auto mixed = after.forward(pixels, plan, at::kFloat, {}, features);
  EXPECT_TRUE(test::same_bits(mixed.losses[0].second, alone.losses[0].second));
}

TEST(PlainDecoder, MomentsAreRenamedAlike) {
  recipe::Recipe recipe = train::small_recipe();
  recipe.pretrain().targets.ema = 1;
  recipe.pretrain().decoder.depth = 3;
  const std::vector<std::string> names{
      "exp_avg.decoder_blocks.0.norm1.weight", "exp_avg_sq.decoder_blocks.1.norm1.weight",
      "exp_avg.decoder_norm.bias", "exp_avg.decoder_pred.bias", "exp_avg.decoder_embed.bias"};
  std::vector<formats::TensorView> views;
  for (const std::string& name : names) views.push_back({name, "F32", {1}, {}});
  split_plain_decoder(views, recipe, "test");
  const std::vector<std::string> wanted{
      "exp_avg.decoder_blocks.0.norm1.weight",
      "exp_avg_sq.reconstructors.rgb.blocks.0.norm1.weight", "exp_avg.reconstructors.rgb.norm.bias",
      "exp_avg.reconstructors.rgb.pred.bias", "exp_avg.decoder_embed.bias"};
  for (size_t i = 0; i < wanted.size(); ++i) EXPECT_EQ(views[i].name, wanted[i]);
}

TEST(PlainDecoder, BlocksMustComeOutEven) {
  recipe::Recipe recipe = train::small_recipe();
  recipe.pretrain().targets.ema = 1;
  recipe.pretrain().decoder.depth = 8;
  std::vector<formats::TensorView> views;
  for (int block = 0; block < 8; ++block) {
    views.push_back({"decoder_blocks." + std::to_string(block) + ".norm1.bias", "F32", {1}, {}});
  }
  views.push_back({"decoder_pred.bias", "F32", {1}, {}});
  try {
    split_plain_decoder(views, recipe, "plain.pth");
    FAIL() << "the decoder was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_NE(std::string(error.what()).find("set decoder.depth = 9"), std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace fcm::interop
