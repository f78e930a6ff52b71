#include "fcm/recipe/recipe.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/config/recipe_io.h"
#include "fcm/recipe/check.h"
#include "fcm/recipe/recipe_files.h"
#include "tests/support/error_of.h"
#include "tests/support/scratch.h"

namespace fcm::recipe {
namespace {

namespace fs = std::filesystem;

const fs::path kRecipes = fs::path(FCM_SOURCE_DIR) / "recipes";

Recipe shipped(const std::string& name, const std::vector<std::string>& overrides = {}) {
  return load_pretraining_recipe(name, {kRecipes}, overrides);
}

template <class Action>
std::string usage_error(Action&& action) {
  const std::string message = test::error_of(ExitCode::kUsage, action);
  EXPECT_NE(message, "");
  return message;
}

TEST(ShippedRecipes, AreCompleteAndPassTheirChecks) {
  const std::vector<fs::path> files = shipped_recipes({kRecipes});
  ASSERT_GE(files.size(), 3u);
  for (const fs::path& file : files) {
    const RowOptions row = load_recipe(file.string(), {}, {}).row;
    EXPECT_EQ(row.name, file.stem().string()) << "row.name must be the file's stem";
    EXPECT_FALSE(row.about.empty()) << file;
    std::ifstream text(file);
    std::string first_line;
    std::getline(text, first_line);
    EXPECT_TRUE(first_line.starts_with("# ")) << file << " must begin with a comment";
  }
}

// Expects the values that all rows of the table have: image size 224, normalised pixels as targets,
// decoder, augmentation and AdamW.
void expect_common_values(const Recipe& recipe) {
  EXPECT_EQ(recipe.pretrain().decoder.dim, 512);
  EXPECT_EQ(recipe.pretrain().decoder.depth, 8);
  EXPECT_EQ(recipe.pretrain().decoder.heads, 16);
  EXPECT_EQ(recipe.pretrain().decoder.mlp_ratio, 4);
  EXPECT_EQ(recipe.pretrain().masks.ratio, 0.75);
  EXPECT_TRUE(recipe.pretrain().targets.norm_pix);
  EXPECT_EQ(recipe.pretrain().targets.variance_epsilon, 1e-6);
  EXPECT_EQ(recipe.data.image_size, (std::vector<int64_t>{224, 224}));
  EXPECT_EQ(recipe.data.mean, (std::vector<double>{0.485, 0.456, 0.406}));
  EXPECT_EQ(recipe.data.stddev, (std::vector<double>{0.229, 0.224, 0.225}));
  EXPECT_EQ(recipe.data.crop_scale, (std::vector<double>{0.2, 1}));
  EXPECT_EQ(recipe.data.crop_ratio, (std::vector<double>{3.0 / 4, 4.0 / 3}));
  EXPECT_EQ(recipe.data.interpolation, "bicubic");
  EXPECT_EQ(recipe.data.flip, 0.5);
  EXPECT_EQ(recipe.optim.min_lr, 0);
  EXPECT_EQ(recipe.optim.weight_decay, 0.05);
  EXPECT_EQ(recipe.optim.beta1, 0.9);
  EXPECT_EQ(recipe.optim.beta2, 0.95);
  EXPECT_EQ(recipe.optim.epsilon, 1e-8);
  EXPECT_EQ(recipe.optim.clip_norm, 0);
  EXPECT_EQ(recipe.run.seed, 0);
}

void expect_conv_vit_base(const Recipe& recipe) {
  EXPECT_EQ(recipe.model.kind, "conv_vit");
  EXPECT_EQ(recipe.encoder.strides, (std::vector<int64_t>{4, 2, 2}));
  EXPECT_EQ(recipe.encoder.dims, (std::vector<int64_t>{256, 384, 768}));
  EXPECT_EQ(recipe.encoder.depths, (std::vector<int64_t>{2, 2, 11}));
  EXPECT_EQ(recipe.encoder.heads, 12);
  EXPECT_EQ(recipe.encoder.mlp_ratios, (std::vector<double>{4, 4, 4}));
}

void expect_vit_base(const Recipe& recipe) {
  EXPECT_EQ(recipe.model.kind, "vit");
  EXPECT_EQ(recipe.encoder.strides, (std::vector<int64_t>{16}));
  EXPECT_EQ(recipe.encoder.dims, (std::vector<int64_t>{768}));
  EXPECT_EQ(recipe.encoder.depths, (std::vector<int64_t>{12}));
  EXPECT_EQ(recipe.encoder.heads, 12);
  EXPECT_EQ(recipe.encoder.mlp_ratios, (std::vector<double>{4}));
}

struct Schedule {
  const char* recipe;
  bool vit;
  int64_t views;  // 0: all views
  int64_t batch_size, epochs, warmup_epochs;
  double lr;
};

class PublishedRows : public testing::TestWithParam<Schedule> {};

// The values of the upstream scripts: batch size over all GPUs, epochs, warm-up, and the resulting
// lr. The last row is this project's: MAE's recipe with batch size, epochs and warm-up divided by
// four, because each image has four views.
TEST_P(PublishedRows, HoldTheirValues) {
  const Recipe recipe = shipped(GetParam().recipe);
  expect_common_values(recipe);
  GetParam().vit ? expect_vit_base(recipe) : expect_conv_vit_base(recipe);
  EXPECT_EQ(recipe.pretrain().masks.views.count, GetParam().views);
  EXPECT_EQ(recipe.optim.batch_size, GetParam().batch_size);
  EXPECT_EQ(recipe.optim.epochs, GetParam().epochs);
  EXPECT_EQ(recipe.optim.warmup_epochs, GetParam().warmup_epochs);
  EXPECT_DOUBLE_EQ(recipe.optim.lr(), GetParam().lr);
}

INSTANTIATE_TEST_SUITE_P(
    All, PublishedRows,
    testing::Values(Schedule{"fastconvmae_base_in1k_50ep", false, 0, 8 * 64, 50, 10, 1.2e-3},
                    Schedule{"convmae_base_in1k_200ep", false, 1, 24 * 128, 200, 40, 1.8e-3},
                    Schedule{"convmae_base_in1k_1600ep", false, 1, 24 * 128, 1600, 40, 1.8e-3},
                    Schedule{"mae_vit_base_in1k_1600ep", true, 1, 64 * 64, 1600, 40, 2.4e-3},
                    Schedule{"fastmae_vit_base_in1k_400ep", true, 0, 4096 / 4, 1600 / 4, 40 / 4,
                             2.4e-3}),
    [](const auto& instance) { return std::string(instance.param.recipe); });

// Recipes with the targets C and T of the paper, as this project understands them: CLIP's base
// tower and the moving average, without pixels.
TEST(PublishedRows, OfSeveralTargetsHoldTheirValues) {
  const std::pair<const char*, int64_t> rows[] = {{"fastconvmae_ct_base_in1k_50ep", 50},
                                                  {"fastconvmae_ct_base_in1k_100ep", 100},
                                                  {"fastconvmae_ct_large_in1k_200ep", 200}};
  for (const auto& [name, epochs] : rows) {
    const Recipe recipe = shipped(name);
    expect_common_values(recipe);
    EXPECT_EQ(recipe.pretrain().targets.reconstructed(), (std::vector<std::string>{"clip", "ema"}));
    EXPECT_EQ(recipe.pretrain().targets.clip, recipe.pretrain().targets.ema);
    EXPECT_EQ(recipe.pretrain().targets.clip_tower, "vit_b16");
    EXPECT_EQ(recipe.pretrain().targets.loss, "smooth_l1");
    EXPECT_EQ(recipe.pretrain().decoder.independent_blocks, 1);
    EXPECT_TRUE(recipe.pretrain().masks.views.all());
    EXPECT_EQ(recipe.optim.epochs, epochs);
    EXPECT_DOUBLE_EQ(recipe.optim.lr(), 1.2e-3);
  }
  EXPECT_EQ(shipped("fastconvmae_ct_large_in1k_200ep").encoder.dims,
            (std::vector<int64_t>{384, 768, 1024}));
}

TEST(Recipe, CrossDecodersThatCannotWorkAreRefused) {
  const auto fault = [](const char* name, const std::vector<std::string>& overrides) {
    return usage_error([&] { check(shipped(name, overrides)); });
  };
  EXPECT_NE(fault("smoke_pretrain", {"decoder.share=0.5"}).find("predicts all hidden patches"),
            std::string::npos);
  EXPECT_NE(fault("smoke_pretrain", {"decoder.reads=mix"}).find("write \"latent\""),
            std::string::npos);
  EXPECT_NE(fault("smoke_cross", {"decoder.depth=0"}).find("would see nothing"), std::string::npos);
  EXPECT_NE(fault("smoke_greenmim", {"decoder.kind=cross"}).find("needs a conv_vit or a vit"),
            std::string::npos);
  check(shipped("smoke_mae_pretrain", {"decoder.kind=cross", "decoder.share=0.25"}));
  check(shipped("smoke_mixture", {"decoder.kind=cross", "decoder.reads=mix"}));
}

TEST(Recipe, TargetsThatCannotWorkAreRefused) {
  const auto fault = [](const std::vector<std::string>& overrides) {
    return usage_error([&] { check(shipped("smoke_mixture", overrides)); });
  };
  EXPECT_NE(fault({"targets.rgb=0", "targets.clip=0", "targets.dino=0", "targets.ema=0"})
                .find("nothing to reconstruct"),
            std::string::npos);
  EXPECT_NE(fault({"decoder.independent_blocks=2"}).find("decoder.depth = 5"), std::string::npos);
  EXPECT_NE(fault({"targets.last_blocks=3"}).find("2 transformer blocks"), std::string::npos);
  EXPECT_NE(fault({"targets.last_blocks=2", "targets.clip_feature=normed"}).find("\"tokens\""),
            std::string::npos);
  EXPECT_NE(fault({"targets.clip_tower=siglip_tiny", "targets.clip_feature=projected"})
                .find("siglip_tiny has no projection"),
            std::string::npos);
  EXPECT_NE(fault({"targets.mimic_weight=0"}).find("write \"none\""), std::string::npos);
  EXPECT_NE(fault({"data.channels=1", "data.mean=[0.5]", "data.deviation=[0.5]"}).find("sees RGB"),
            std::string::npos);
}

// Sets a field to a random value in its range.
void randomise(const config::Field& field) {
  const int64_t low = static_cast<int64_t>(std::clamp(field.range.low, -1e9, 1e9));
  const int64_t high = static_cast<int64_t>(std::clamp(field.range.high, -1e9, 1e9));
  const auto whole = [&] { return *rc::gen::inRange<int64_t>(low, high + 1); };
  const auto number = [&] {
    const double share = *rc::gen::inRange(0, 1 << 20) / static_cast<double>(1 << 20);
    const double least = std::max(field.range.low, -1e9), most = std::min(field.range.high, 1e9);
    return least + share * (most - least);
  };
  size_t length = field.range.length;
  if (length == 0) length = *rc::gen::inRange<size_t>(1, 5);
  if (length == config::Range::kAnyLength) length = *rc::gen::inRange<size_t>(0, 5);
  std::visit(
      [&](auto* target) {
        using Target = std::decay_t<decltype(*target)>;
        if constexpr (std::is_same_v<Target, bool>) {
          *target = *rc::gen::arbitrary<bool>();
        } else if constexpr (std::is_same_v<Target, int64_t>) {
          *target = whole();
        } else if constexpr (std::is_same_v<Target, double>) {
          *target = number();
        } else if constexpr (std::is_same_v<Target, config::CountOrAll>) {
          target->count = *rc::gen::arbitrary<bool>() ? 0 : whole();
        } else if constexpr (std::is_same_v<Target, config::OneOrMore>) {
          target->values.resize(length);
          for (int64_t& value : target->values) value = whole();
        } else if constexpr (std::is_same_v<Target, std::string>) {
          *target = field.one_of.names.empty()
                        ? *rc::gen::container<std::string>(rc::gen::inRange<char>(' ', '~'))
                        : *rc::gen::elementOf(field.one_of.names);
        } else if constexpr (std::is_same_v<Target, std::vector<int64_t>>) {
          target->resize(length);
          for (int64_t& value : *target) value = whole();
        } else {
          target->resize(length);
          for (double& value : *target) value = number();
        }
      },
      field.target);
}

TEST(Recipe, PrintingAndReadingIsAFixedPointForEveryKey) {
  EXPECT_TRUE(rc::check([] {
    Recipe recipe;
    for (const config::Field& field : config::fields_of(recipe)) randomise(field);
    const std::string text = print_recipe(recipe);
    const Recipe again = read_recipe(text, "again.toml");
    RC_ASSERT(print_recipe(again) == text);
    RC_ASSERT(recipe_hash(again) == recipe_hash(recipe));
    const Recipe commented = read_recipe(print_recipe(recipe, true), "commented.toml");
    RC_ASSERT(print_recipe(commented) == text);
  }));
}

// Every key can be set on the command line, even if the file lacks it.
TEST(Recipe, EveryKeyCanBeSet) {
  Recipe wanted = shipped("smoke_pretrain");
  const std::string whole = print_recipe(wanted);
  for (const config::Field& field : config::fields_of(wanted)) {
    if (field.may_be_left_out) continue;
    const std::string line = "\n" + field.key + " = " + value_of(field);
    std::string text = whole;
    text.erase(text.find(line, text.find("[" + field.section + "]")), line.size());
    const std::string assignment = field.name() + "=" + value_of(field);
    EXPECT_EQ(print_recipe(read_recipe(text, "x.toml", {assignment})), whole) << assignment;
    EXPECT_THROW(read_recipe(text, "x.toml"), Error) << field.name();
  }
}

// Without a debug switch, the text and the hash of a recipe are the same as in versions that had no
// such switch. With it the hash differs.
TEST(Recipe, ASwitchOfDebugIsOffUnlessItIsNamed) {
  const Recipe off = shipped("smoke_pretrain");
  EXPECT_FALSE(off.debug.reference_ops);
  const std::string text = print_recipe(off);
  EXPECT_EQ(text.find("debug"), std::string::npos);
  const Recipe on = shipped("smoke_pretrain", {"debug.reference_ops=true"});
  EXPECT_TRUE(on.debug.reference_ops);
  EXPECT_EQ(print_recipe(on), text + "\n[debug]\nreference_ops = true\n");
  EXPECT_TRUE(read_recipe(print_recipe(on), "again.toml").debug.reference_ops);
  EXPECT_NE(recipe_hash(on), recipe_hash(off));
  EXPECT_EQ(recipe_hash(read_recipe(print_recipe(on), "x.toml", {"debug.reference_ops=false"})),
            recipe_hash(off));
  EXPECT_THROW(shipped("smoke_pretrain", {"debug.reference_op=true"}), Error);
  EXPECT_THROW(read_recipe(text + "\n[debug]\nreference_ops = 1\n", "x.toml"), Error);
}

TEST(Recipe, NamesTheKeysThatAreMissing) {
  std::string text = print_recipe(shipped("demo"));
  const std::string line = "beta2 = 0.95\n";
  text.erase(text.find(line), line.size());
  const std::string message = usage_error([&] { read_recipe(text, "mine.toml"); });
  EXPECT_EQ(message,
            "mine.toml: optim.beta2 is missing; a recipe names every key, so add \"beta2 = 0.95\" "
            "(the default) to [optim]");
  EXPECT_EQ(read_recipe(text, "mine.toml", {"optim.beta2=0.9"}).optim.beta2, 0.9);
}

TEST(Recipe, WhatAnEarlierVersionStoredHasTheUsualValuesOfNewerKeys) {
  const std::string whole = print_recipe(shipped("fastconvmae_base_in1k_50ep"));
  std::string text = whole;
  const std::string line = "probe_every_epochs = 0\n";
  text.erase(text.find(line), line.size());
  EXPECT_THROW(read_recipe(text, "mine.toml"), Error);
  EXPECT_EQ(print_recipe(read_stored_recipe(text, "runs/base")), whole);
  EXPECT_EQ(
      read_stored_recipe(text, "runs/base", {"run.probe_every_epochs=2"}).run.probe_every_epochs,
      2);
  EXPECT_THROW(read_stored_recipe(text + "unknown = 1\n", "runs/base"), Error);
}

TEST(Recipe, ANamedSizeBringsItsKeysAlong) {
  const Recipe small = shipped("fastconvmae_base_in1k_50ep", {"encoder.size=small"});
  EXPECT_EQ(small.encoder.dims, (std::vector<int64_t>{128, 256, 384}));
  EXPECT_EQ(small.encoder.heads, 6);
  const Recipe own = shipped("fastconvmae_base_in1k_50ep",
                             {"encoder.size=small", "encoder.size=custom", "encoder.heads=8"});
  EXPECT_EQ(own.encoder.dims, (std::vector<int64_t>{128, 256, 384}));
  EXPECT_EQ(own.encoder.heads, 8);
}

TEST(Recipe, ANamedSizeIsThatOfTheKind) {
  const Recipe vit = shipped("mae_vit_base_in1k_1600ep", {"encoder.size=huge"});
  EXPECT_EQ(vit.encoder.strides, (std::vector<int64_t>{14}));  // 224 pixels: 16 x 16 patches
  EXPECT_EQ(vit.encoder.dims, (std::vector<int64_t>{1280}));
  EXPECT_EQ(vit.encoder.depths, (std::vector<int64_t>{32}));
  EXPECT_EQ(shipped("mae_vit_base_in1k_1600ep", {"encoder.size=small"}).encoder.heads, 6);
  EXPECT_EQ(shipped("mae_vit_base_in1k_1600ep", {"encoder.size=large"}).encoder.depths.front(), 24);
  expect_vit_base(shipped("convmae_base_in1k_200ep", {"model.kind=vit"}));
  expect_conv_vit_base(shipped("mae_vit_base_in1k_1600ep", {"model.kind=conv_vit"}));
  EXPECT_EQ(
      usage_error([] { shipped("mae_vit_base_in1k_1600ep", {"encoder.size=large_paper"}); }),
      "encoder.size = \"large_paper\" is not a size of vit; take custom, small, base, large or "
      "huge");
}

struct Combination {
  const char* name;
  std::vector<std::string> overrides;
  const char* message;  // the expected message without the file name
};

class BadCombinations : public testing::TestWithParam<Combination> {};

TEST_P(BadCombinations, AreRefusedWithKeysAndValues) {
  const fs::path file = kRecipes / "demo.toml";
  EXPECT_EQ(usage_error([&] { shipped("demo", GetParam().overrides); }),
            file.string() + ": " + GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    All, BadCombinations,
    testing::Values(
        Combination{"ImageSize",
                    {"data.image_size=[32,36]"},
                    "data.image_size = [32, 36] must be divisible by 8, the side of a patch (the "
                    "product of encoder.strides = [2, 2, 2])"},
        Combination{"EncoderHeads",
                    {"encoder.heads=5"},
                    "the last of encoder.dims = 96 must be divisible by encoder.heads = 5"},
        Combination{"DecoderHeads",
                    {"decoder.heads=5"},
                    "decoder.dim = 48 must be divisible by decoder.heads = 5"},
        Combination{"EncoderPositions",
                    {"encoder.dims=[24,48,90]", "encoder.heads=2"},
                    "the last of encoder.dims = 90 must be divisible by 4, for the sine-cosine "
                    "positions"},
        Combination{"DecoderPositions",
                    {"decoder.dim=46", "decoder.heads=2"},
                    "decoder.dim = 46 must be divisible by 4, for the sine-cosine positions"},
        Combination{
            "WindowReachesTooFar",
            {"encoder.strides=[4,2,1]"},
            "encoder.strides = [4, 2, 1] gives stage 2 one cell per patch, but its 5x5 "
            "convolutions need at least 2x2; use a later stride of 2 or more, or 0 for that stage "
            "in encoder.depths"},
        Combination{"Channels",
                    {"data.channels=2", "data.mean=[0,0]", "data.deviation=[1,1]"},
                    "data.channels = 2 must be 1 (grey) or 3 (RGB)"},
        Combination{
            "Mean", {"data.mean=[0.1,0.2]"}, "data.mean has 2 elements, but data.channels = 1"},
        Combination{"Deviation",
                    {"data.deviation=[1,1,1]"},
                    "data.deviation has 3 elements, but data.channels = 1"},
        Combination{"CropScale",
                    {"data.crop_scale=[1,0.5]"},
                    "data.crop_scale = [1, 0.5] must have the smaller share first"},
        Combination{"CropRatio",
                    {"data.crop_ratio=[2,0.5]"},
                    "data.crop_ratio = [2, 0.5] must have the smaller ratio first"},
        Combination{"MicroBatch",
                    {"optim.batch_size=256", "optim.micro_batch=257"},
                    "optim.micro_batch = 257 is larger than optim.batch_size = 256"},
        Combination{"Warmup",
                    {"optim.epochs=2", "optim.warmup_epochs=3"},
                    "optim.warmup_epochs = 3 is more than optim.epochs = 2"},
        Combination{"MinimumRate",
                    {"optim.batch_size=256", "optim.base_lr=0.002", "optim.min_lr=0.01"},
                    "optim.min_lr = 0.01 is more than the learning rate 0.002 (optim.base_lr = "
                    "0.002 times optim.batch_size = 256 over 256)"},
        Combination{"Beta1", {"optim.beta1=1"}, "optim.beta1 = 1 must be less than 1"},
        Combination{"Beta2", {"optim.beta2=1"}, "optim.beta2 = 1 must be less than 1"},
        Combination{"TooManyViews",
                    {"masks.views=5"},
                    "masks.views = 5, but masks.ratio = 0.75 makes only 4 views"},
        Combination{"NamedSize",
                    {"encoder.size=base", "encoder.heads=6"},
                    "encoder.heads = 6, but encoder.size = \"base\" means 12; write that, or "
                    "encoder.size = \"custom\""},
        Combination{
            "StagesOfTheKind",
            {"model.kind=vit", "encoder.dims=[96]", "encoder.depths=[2]", "encoder.mlp_ratios=[4]"},
            "encoder.strides has 3 elements, but an encoder of model.kind = \"vit\" has 1 "
            "stage"},
        Combination{
            "StagesOfConvVit",
            {"encoder.depths=[2]"},
            "encoder.depths has 1 element, but an encoder of model.kind = \"conv_vit\" has 3 "
            "stages"},
        Combination{"SeveralAtOnce",
                    {"optim.beta1=1", "decoder.heads=5"},
                    "decoder.dim = 48 must be divisible by decoder.heads = 5\n"
                    "optim.beta1 = 1 must be less than 1"}),
    [](const auto& test) { return std::string(test.param.name); });

// Negative control of BadCombinations: values close to the refused ones are accepted.
TEST(Check, AllowsWhatFits) {
  for (const std::vector<std::string>& overrides : std::vector<std::vector<std::string>>{
           {"data.image_size=[32,40]"},
           {"encoder.heads=6"},
           {"model.kind=vit", "encoder.strides=[8]", "encoder.dims=[96]", "encoder.depths=[2]",
            "encoder.mlp_ratios=[4]"},
           {"encoder.strides=[4,2,1]", "encoder.depths=[1,0,3]"},
           {"optim.batch_size=256", "optim.micro_batch=256"},
           {"optim.epochs=2", "optim.warmup_epochs=2"},
           {"optim.batch_size=256", "optim.base_lr=0.002", "optim.min_lr=0.002"},
           {"masks.views=4"},
           {"masks.ratio=0.5"}}) {
    EXPECT_NO_THROW(shipped("demo", overrides)) << overrides.front();
  }
}

TEST(Check, PretrainingHasToHideSomething) {
  Recipe recipe = shipped("fastconvmae_base_in1k_50ep", {"masks.ratio=0.3"});
  EXPECT_NO_THROW(check(recipe));
  EXPECT_EQ(usage_error([&] { check_pretraining(recipe); }),
            "masks.ratio = 0.3 hides nothing: the only view sees all 196 patches; use 1/3 or more");
  recipe.pretrain().masks.ratio = 0.34;
  EXPECT_NO_THROW(check_pretraining(recipe));
}

TEST(Check, SeesValuesThatWereNeverText) {
  Recipe recipe = shipped("demo");
  recipe.encoder.dims = {24, 48};
  EXPECT_EQ(
      usage_error([&] { check(recipe); }),
      "encoder.dims has 2 elements, but an encoder of model.kind = \"conv_vit\" has 3 stages");
}

TEST(FindRecipe, TakesFilesAndNames) {
  EXPECT_EQ(find_recipe("smoke_pretrain", {"/nowhere", kRecipes}),
            kRecipes / "smoke" / "smoke_pretrain.toml");
  const std::string file = (kRecipes / "demo.toml").string();
  EXPECT_EQ(find_recipe(file, {}), fs::path(file));
}

TEST(FindRecipe, SaysWhatThereIs) {
  EXPECT_EQ(usage_error([] { find_recipe("dmeo", {kRecipes}); }),
            "--recipe dmeo: there is no such recipe; did you mean demo?");
  EXPECT_EQ(usage_error([] { find_recipe("dir/demo.toml", {kRecipes}); }),
            "--recipe dir/demo.toml: there is no such file");
  const std::string message = usage_error([] { find_recipe("zzzzzzzz", {kRecipes}); });
  EXPECT_NE(
      message.find(
          "demo, demo_cross, demo_ema, demo_greenmim, demo_simmim, "
          "fastconvmae_base_in1k_50ep, fastconvmae_ct_base_in1k_100ep, "
          "fastconvmae_ct_base_in1k_50ep, fastconvmae_ct_large_in1k_200ep, "
          "fastcross_convmae_base_in1k_50ep, fastgreenmim_swin_base_in1k_200ep, "
          "fastmae_vit_base_in1k_400ep, finetune_convvit_base_in1k_100ep, "
          "finetune_convvit_large_in1k_50ep, finetune_demo, "
          "finetune_swin_base_greenmim_in1k_100ep, finetune_swin_base_in1k_100ep, "
          "finetune_vit_base_in1k_100ep, greenmim_swin_base_in1k_800ep, "
          "linprobe_convvit_base_in1k_90ep, linprobe_vit_base_in1k_90ep, "
          "mae_vit_base_in1k_1600ep, maskrcnn_convvit_base_coco_25ep, "
          "maskrcnn_convvit_base_coco_vitdet, maskrcnn_swin_base_coco_36ep, "
          "maskrcnn_vit_base_coco_100ep, simmim_swin_base_in1k_100ep, "
          "simmim_swin_base_in1k_800ep, smoke_cross, smoke_detect, smoke_finetune, "
          "smoke_greenmim, smoke_linprobe, smoke_mae_pretrain, smoke_mixture, smoke_pretrain, "
          "smoke_segment, smoke_simmim"),
      std::string::npos)
      << message;
}

TEST(LoadRecipe, RefusesFilesThatAreNoRecipes) {
  const test::Scratch folder;
  const auto said = [&](const std::string& name, const std::string& content) {
    return usage_error([&] { load_recipe(folder.write(name, content).string(), {}, {}); });
  };
  for (const auto& [content, kind] : std::vector<std::pair<std::string, std::string>>{
           {"", "an empty file"},
           {"{\"top1\": 3}", "a result (JSON): {\"top1\": 3}"},
           {"\x89PNG\r\n\x1a\n", "a PNG"},
           {std::string("\x40\0\0\0\0\0\0\0{\"w\":", 13), "a safetensors file"},
           {std::string("\xff\0\x01", 3), "a binary file"}}) {
    EXPECT_NE(said("other", content).find("this is " + kind + ", expected a recipe"),
              std::string::npos)
        << said("other", content);
  }
  folder.write("run/recipe.toml", std::string("[row]\n"));
  const fs::path run = folder / "run";
  EXPECT_NE(usage_error([&] {
              load_recipe(run.string(), {}, {});
            }).find("is a folder, expected a recipe file; it holds one: "),
            std::string::npos);
  EXPECT_NE(usage_error([&] { load_recipe("", {}, {}); }).find("--recipe is empty"),
            std::string::npos);
  const fs::path file = folder.write("large.toml", std::string((1 << 20) + 1, 'x'));
  EXPECT_NE(usage_error([&] { load_recipe(file.string(), {}, {}); }).find("too many for a recipe"),
            std::string::npos);
}

}  // namespace
}  // namespace fcm::recipe
