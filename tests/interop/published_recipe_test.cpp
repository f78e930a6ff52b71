// Recipes derived from upstream checkpoints. A run of the upstream program resumes here and reaches
// the upstream result.
#include "fcm/interop/published_recipe.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <filesystem>
#include <map>

#include "fcm/base/error.h"
#include "fcm/checkpoint/checkpoint.h"
#include "fcm/encoder/options.h"
#include "fcm/interop/load_any.h"
#include "fcm/masks/view_plan.h"
#include "fcm/recipe/check.h"
#include "fcm/recipe/setup.h"
#include "fcm/train/state.h"
#include "tests/support/compare.h"
#include "tests/support/error_of.h"
#include "tests/support/procedural.h"
#include "tests/support/safetensors.h"

namespace fcm::interop {
namespace {

using nlohmann::json;

const std::filesystem::path kStored =
    std::filesystem::path(FCM_SOURCE_DIR) / "../shared/fixtures/checkpoints";

// The head counts in the manifest; the tensors do not determine them.
const std::vector<std::string> kHeads = {"encoder.heads=4", "decoder.heads=4"};

TEST(PublishedRecipe, OfGreyImagesMeanAndStdMustBeGiven) {
  Architecture grey;
  grey.kind = "vit";
  grey.encoder = {"custom", {4}, {8}, {2}, 2, {4}};
  grey.channels = 1;
  const auto recipe = [&](std::vector<std::string> set) {
    set.emplace_back("encoder.heads=2");
    return published_recipe(grey, json(), set, "grey.pth");
  };
  for (const std::vector<std::string>& set :
       {std::vector<std::string>{}, std::vector<std::string>{"data.mean=[0.5]"}}) {
    const std::string said = test::error_of(ExitCode::kUsage, [&] { recipe(set); });
    EXPECT_NE(said.find("grey.pth: it reads grey images"), std::string::npos) << said;
    EXPECT_NE(said.find("--set data.mean=[M]"), std::string::npos) << said;
  }
  const recipe::Recipe known = recipe({"data.mean=[0.5]", "data.deviation=[0.25]"});
  EXPECT_EQ(known.data.channels, 1);
  EXPECT_EQ(known.data.mean, std::vector<double>{0.5});
}

class PublishedRun : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kStored))
      GTEST_SKIP() << "no ../shared/fixtures beside the checkout";
    SilentReporter silence;
    const std::string file = (kStored / "checkpoint-0.pth").string();
    checkpoint_ = load_any(file, true, silence);
    recipe_ = published_recipe(*recognise(checkpoint_.model.tensors), checkpoint_.state.at("args"),
                               kHeads, file);
    model_ = std::make_unique<models::MaskedAutoencoder>(recipe::autoencoder_options(recipe_), 3);
    optimizer_ = std::make_unique<optim::AdamW>(model_->parameters(), recipe_.optim);
    train::load_model(model_->parameters(), checkpoint_.model, file);
    train::load_optimizer(model_->parameters(), *optimizer_, checkpoint_.optimizer, file);
    optimizer_->set_steps(checkpoint_.state.at("optimizer_steps").get<int64_t>());
  }

  double step(double lr) {
    const at::Tensor images = test::procedural("images", 11, {2, 3, 224, 224});
    const at::Tensor noise = test::procedural("noise", 11, {2, 196});
    const auto sizes = masks::view_sizes(196, recipe_.pretrain().masks);
    const masks::ViewPlan plan = masks::plan_from_noise(noise, model_->grid(), sizes, 4);
    const at::Tensor pixels = ops::patchify_normalised(images, plan.order_BL, model_->geometry());
    optimizer_->zero_gradients();
    const at::Tensor loss = model_->forward(pixels, plan, at::kFloat).loss;
    torch::autograd::backward({loss}, {});
    optimizer_->step(lr);
    return loss.item<double>();
  }

  // The largest error of all parameters, relative to the tolerance. Parameters are stored whole or
  // sampled. The k thirds of qkv biases are excluded, because their true gradients are zero.
  double worst_error(const std::map<std::string, at::Tensor>& golden, double tolerance) {
    double worst = 0;
    for (const nn::Parameter& parameter : model_->parameters().all()) {
      at::Tensor ours = model_->parameters().published(parameter).flatten();
      at::Tensor theirs;
      if (const auto whole = golden.find("model." + parameter.name); whole != golden.end()) {
        theirs = whole->second.flatten();
      } else if (golden.contains("model." + parameter.name + ".idx")) {
        ours = ours.index_select(0, golden.at("model." + parameter.name + ".idx"));
        theirs = golden.at("model." + parameter.name + ".val");
      } else {
        ADD_FAILURE() << parameter.name << " is not stored";
        continue;
      }
      if (parameter.name.ends_with("attn.qkv.bias")) {
        const int64_t dim = ours.numel() / 3;
        ours.narrow(0, dim, dim).zero_();
        theirs = theirs.clone();
        theirs.narrow(0, dim, dim).zero_();
      }
      worst = std::max(worst, test::compare(ours, theirs, tolerance).max_rel / tolerance);
    }
    return worst;
  }

  checkpoint::Checkpoint checkpoint_;
  recipe::Recipe recipe_;
  std::unique_ptr<models::MaskedAutoencoder> model_;
  std::unique_ptr<optim::AdamW> optimizer_;
};

// Ten times the error of the upstream program's own float32 after AdamW steps of this model
// (fastconvmae_tiny.errors.json, gradients).
constexpr double kTolerance = 4e-5;

TEST_F(PublishedRun, TheNextEpochGivesWhatThePublishedProgramGot) {
  const test::OneThread one_thread;
  const auto golden =
      test::read_safetensors((kStored / "checkpoint-0.resumed.safetensors").string());
  const at::Tensor losses = golden.at("losses");
  EXPECT_NEAR(step(1e-3), losses[2].item<double>(), 1e-6 * losses[2].item<double>());
  EXPECT_NEAR(step(1.5e-3), losses[3].item<double>(), 1e-6 * losses[3].item<double>());
  EXPECT_LT(worst_error(golden, kTolerance), 1);
}

// Negative control: the comparison detects that the optimizer's step count was not restored.
TEST_F(PublishedRun, WithoutItsStateItWouldNot) {
  const test::OneThread one_thread;
  const auto golden =
      test::read_safetensors((kStored / "checkpoint-0.resumed.safetensors").string());
  optimizer_->set_steps(0);
  step(1e-3);
  step(1.5e-3);
  EXPECT_GT(worst_error(golden, kTolerance), 100);
}

TEST_F(PublishedRun, TheRecipeHasTheArgumentsOfTheRun) {
  EXPECT_EQ(recipe_.encoder.dims, (std::vector<int64_t>{32, 48, 64}));
  EXPECT_EQ(recipe_.encoder.depths, (std::vector<int64_t>{1, 1, 2}));
  EXPECT_EQ(recipe_.pretrain().decoder.depth, 8);
  EXPECT_EQ(recipe_.optim.batch_size, 2);
  EXPECT_DOUBLE_EQ(recipe_.optim.lr(), 0.01);
  EXPECT_EQ(recipe_.optim.warmup_epochs, 10);
  EXPECT_TRUE(recipe_.pretrain().targets.norm_pix);
  EXPECT_TRUE(recipe_.pretrain().masks.views.all());
  EXPECT_EQ(recipe_.data.image_size, (std::vector<int64_t>{224, 224}));
}

Architecture base() {
  Architecture architecture;
  architecture.kind = "conv_vit";
  architecture.encoder.strides = {4, 2, 2};
  architecture.encoder.dims = {256, 384, 768};
  architecture.encoder.depths = {2, 2, 11};
  architecture.encoder.mlp_ratios = {4, 4, 4};
  architecture.patches = 196;
  architecture.decoder = {512, 8, 4.0};
  return architecture;
}

std::string reason_for(const Architecture& architecture) {
  try {
    published_recipe(architecture, nullptr, {}, "some.pth");
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

TEST(PublishedRecipe, HeadsOfANamedSize) {
  EXPECT_EQ(published_recipe(base(), nullptr, {}, "x").encoder.heads, 12);
  Architecture vit = base();
  vit.kind = "vit";
  vit.encoder.strides = {16};
  vit.encoder.dims = {1280};
  vit.encoder.depths = {32};
  vit.encoder.mlp_ratios = {4};
  EXPECT_EQ(published_recipe(vit, nullptr, {}, "x").encoder.heads.last(),
            16);  // 1280 / 64 is 20
}

TEST(PublishedRecipe, WhatCannotBeToldIsAskedFor) {
  Architecture architecture = base();
  architecture.encoder.dims.back() = 96;
  EXPECT_NE(reason_for(architecture).find("--set encoder.heads=N"), std::string::npos);
  architecture = base();
  architecture.decoder->dim = 36;
  EXPECT_NE(reason_for(architecture).find("--set decoder.heads=N"), std::string::npos);
  architecture = base();
  architecture.patches = 200;
  EXPECT_NE(reason_for(architecture).find("--set data.image_size"), std::string::npos);
}

TEST(PublishedRecipe, SettingsWin) {
  const recipe::Recipe recipe =
      published_recipe(base(), nullptr, {"encoder.heads=6", "data.image_size=[112,448]"}, "x");
  EXPECT_EQ(recipe.encoder.heads, 6);
  EXPECT_EQ(recipe.data.image_size, (std::vector<int64_t>{112, 448}));
}

TEST(PublishedRecipe, ArgumentsOfNoSenseAreIgnored) {
  const json args = {{"epochs", "many"},  {"batch_size", -3},   {"accum_iter", 1e300},
                     {"seed", 1LL << 60}, {"norm_pix_loss", 7}, {"model", {1, 2}},
                     {"lr", nullptr}};
  const recipe::Recipe recipe = published_recipe(base(), args, {}, "x");
  EXPECT_EQ(recipe.optim.batch_size, recipe::Recipe().optim.batch_size);
  EXPECT_NO_THROW(recipe::check(recipe));
}

// The arguments that are written for a recipe give the same recipe when they are read.
TEST(PublishedArgs, ComeBackAsTheRecipe) {
  recipe::Recipe recipe;
  recipe.pretrain().masks.views.count = 1;
  recipe.optim.batch_size = 3072;
  recipe.optim.base_lr = 1.5e-4;
  recipe.optim.epochs = 1600;
  recipe.optim.warmup_epochs = 40;
  recipe.pretrain().targets.norm_pix = false;
  const recipe::Recipe back = published_recipe(base(), published_args(recipe), {}, "x");
  EXPECT_EQ(back.pretrain().masks.views.count, 1);
  EXPECT_EQ(back.optim.batch_size, 3072);
  EXPECT_DOUBLE_EQ(back.optim.lr(), recipe.optim.lr());
  EXPECT_EQ(back.optim.epochs, 1600);
  EXPECT_EQ(back.optim.warmup_epochs, 40);
  EXPECT_FALSE(back.pretrain().targets.norm_pix);
}

std::string factory(const std::string& kind, const encoder::EncoderOptions& encoder,
                    int64_t views = 1) {
  recipe::Recipe recipe;
  recipe.model.kind = kind;
  recipe.encoder = encoder;
  recipe.pretrain().masks.views.count = views;
  return published_args(recipe).at("model").get<std::string>();
}

TEST(PublishedArgs, NameTheFactoryOfTheSize) {
  const auto named = encoder::named_size;
  EXPECT_EQ(factory("conv_vit", named("conv_vit", "base")), "convmae_convvit_base_patch16");
  EXPECT_EQ(factory("conv_vit", named("conv_vit", "large"), 0),
            "fastconvmae_convvit_large_patch16");
  EXPECT_EQ(factory("vit", named("vit", "base")), "mae_vit_base_patch16");
  EXPECT_EQ(factory("vit", named("vit", "large"), 0), "mae_vit_large_patch16");
  EXPECT_EQ(factory("vit", named("vit", "huge")), "mae_vit_huge_patch14");
  encoder::EncoderOptions custom = named("vit", "base");
  custom.size = "custom";
  EXPECT_EQ(factory("vit", custom), "mae_vit_base_patch16");
  custom.depths = {3};
  EXPECT_EQ(factory("vit", custom), "mae_vit_patch16");
}

// The stored lr is that of the last step, halfway through the warm-up of ten epochs.
TEST(PublishedOptimizer, HasTheRateOfTheLastUpdate) {
  const recipe::Recipe recipe;
  const json state = {{"optimizer_steps", 500}, {"epoch", 5.0}};
  EXPECT_NEAR(published_optimizer(recipe, state).lr, recipe.optim.lr() * 499 / 1000, 1e-12);
}

}  // namespace
}  // namespace fcm::interop
