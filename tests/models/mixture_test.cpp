// Compares models with several targets after one decoder with the reference in float64.
#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "fcm/models/masked_autoencoder.h"
#include "tests/models/small_model.h"
#include "tests/support/compare.h"
#include "tests/support/gradcheck.h"

namespace fcm::models {
namespace {

struct Mixture {
  std::string name;
  Setting setting{"", {2, 2, 2}, 4, 4, 0.75, 0};
  double rgb = 0.5, clip = 0, dino = 0, ema = 0.5;
  int64_t depth = 4, independent = 1;
  std::string mimic = "none";
};

void PrintTo(const Mixture& mixture, std::ostream* out) { *out << mixture.name; }

AutoencoderOptions options_of(const Mixture& mixture) {
  AutoencoderOptions options = small_options(mixture.setting);
  options.decoder.depth = mixture.depth;
  options.decoder.independent_blocks = mixture.independent;
  options.targets.rgb = mixture.rgb;
  options.targets.clip = mixture.clip;
  options.targets.dino = mixture.dino;
  options.targets.ema = mixture.ema;
  options.targets.clip_tower = options.targets.dino_tower = "tiny";
  options.targets.mimic = mixture.mimic;
  options.targets.mimic_weight = 0.3;
  return options;
}

// A fast model, and the inputs of the fast model and of the reference: images and features.
struct BothForms {
  explicit BothForms(const Mixture& mixture)
      : options(options_of(mixture)), model(options, 11, at::kDouble) {
    at::manual_seed(3);
    perturb(model);
    const masks::MaskOptions mask_options{mixture.setting.ratio, {mixture.setting.kept}};
    sizes = masks::view_sizes(model.grid().patches(), mask_options);
    kept = masks::kept_views(sizes, mask_options);
    noise = at::rand({2, model.grid().patches()}, at::kDouble);
    images = at::randn({2, options.channels, options.rows, options.cols}, at::kDouble);
    plan = masks::plan_from_noise(noise, model.grid(), sizes, kept);
    pixels = ops::patchify_normalised(images, plan.order_BL, model.geometry());
    for (const std::string& name : options.targets.features()) {
      const int64_t dim = targets::feature_dim(options.targets, name, options.encoder.dims.back());
      raster[name] = at::randn({2, model.grid().patches(), dim}, at::kDouble) * 1.5;
      features[name] = raster[name].gather(1, plan.order_BL.unsqueeze(-1).expand({-1, -1, dim}));
    }
  }

  MaskedAutoencoder::Result fast() const {
    return model.forward(pixels, plan, at::kDouble, {}, features);
  }

  reference::ReferenceResult plain(const reference::Weights& weights) const {
    reference::ReferenceOptions same = reference_options(options);
    for (const std::string& name : options.targets.reconstructed()) {
      const int64_t dim = name == "rgb" ? 0 : raster.at(name).size(2);
      same.targets.push_back({name, dim, options.targets.weight(name)});
    }
    same.independent_blocks = options.decoder.independent_blocks;
    std::map<std::string, at::Tensor> wanted = raster;
    if (options.targets.mimic != "none") {
      wanted["mimic"] = raster.at(options.targets.mimic);
      same.mimic_dim = wanted["mimic"].size(2);
      same.mimic_weight = options.targets.mimic_weight;
    }
    return reference::forward(weights, same, images, noise, sizes, kept, {}, wanted);
  }

  AutoencoderOptions options;
  MaskedAutoencoder model;
  std::vector<int64_t> sizes;
  int64_t kept = 0;
  at::Tensor noise, images, pixels;
  masks::ViewPlan plan;
  targets::Features raster, features;
};

struct Worst {
  double loss = 0, gradient = 0;  // largest relative errors
  std::string name;
};

Worst compare_mixtures(const Mixture& mixture, bool mistake = false) {
  const test::OneThread quiet;
  BothForms both(mixture);
  if (mistake) {  // plants a mistake: swaps the features of patches
    at::Tensor& features = both.features.begin()->second;
    features = features.flip(1);
  }
  const auto result = both.fast();
  torch::autograd::backward({result.loss}, {});
  const reference::Weights weights = published_weights(both.model);
  const auto wanted = both.plain(weights);
  torch::autograd::backward({wanted.loss}, {});
  Worst worst;
  EXPECT_EQ(result.losses.size(), wanted.losses.size());
  for (size_t i = 0; i < wanted.losses.size(); ++i) {
    const double want = wanted.losses[i].item<double>();
    worst.loss =
        std::max(worst.loss, std::abs(result.losses[i].second.item<double>() - want) / want);
  }
  worst.loss =
      std::max(worst.loss, std::abs(result.loss.item<double>() / wanted.loss.item<double>() - 1));
  for (const nn::Parameter& parameter : both.model.parameters().all()) {
    if (!parameter.trainable) continue;
    const at::Tensor gradient =
        nn::to_published(parameter.value.grad(), parameter.layout, parameter.published_shape);
    const double error = test::compare(gradient, weights.at(parameter.name).grad(), 1).max_rel;
    if (error > worst.gradient) worst = {worst.loss, error, parameter.name};
  }
  return worst;
}

class MixtureEqualsThePlainForm : public ::testing::TestWithParam<Mixture> {};

TEST_P(MixtureEqualsThePlainForm, EveryLossAndGradient) {
  const Worst worst = compare_mixtures(GetParam());
  EXPECT_LT(worst.loss, 1e-13);
  EXPECT_LT(worst.gradient, 1e-11) << worst.name;
}

const Setting kOneStage{"", {8}, 4, 4, 0.75, 0};
const Setting kUnequal{"", {2, 2, 2}, 5, 3, 0.75, 3};

INSTANTIATE_TEST_SUITE_P(
    Targets, MixtureEqualsThePlainForm,
    ::testing::Values(
        Mixture{.name = "rgb_and_ema"}, Mixture{.name = "three", .clip = 0.2, .independent = 1},
        Mixture{.name = "four_two_own", .clip = 1, .dino = 2, .depth = 9, .independent = 2},
        Mixture{.name = "nothing_shared", .depth = 4, .independent = 2},
        Mixture{.name = "nothing_own", .depth = 2, .independent = 0},
        Mixture{.name = "ema_alone", .rgb = 0},
        Mixture{.name = "clip_and_ema", .rgb = 0, .clip = 0.5},
        Mixture{.name = "mimic", .ema = 0, .mimic = "clip"},
        Mixture{.name = "mimic_beside", .mimic = "ema"},
        Mixture{.name = "vit", .setting = kOneStage, .dino = 0.5, .mimic = "dino"},
        Mixture{.name = "unequal", .setting = kUnequal, .clip = 0.5, .mimic = "clip"}),
    [](const auto& tested) { return tested.param.name; });

TEST(MixtureControl, FeaturesInAnotherOrderAreNoticed) {
  const Worst worst = compare_mixtures({.name = ""}, /*mistake=*/true);
  EXPECT_GT(worst.loss, 1e-4);
  EXPECT_GT(worst.gradient, 1e-4);
}

// With one target, independent_blocks has no effect: results are bit-identical to those of the
// plain decoder.
TEST(Mixture, OneTargetIsThePlainDecoder) {
  const BothForms plain({.name = "", .ema = 0});
  Mixture other{.name = "", .rgb = 1, .ema = 0, .independent = 3};
  const BothForms same(other);
  ASSERT_EQ(plain.model.parameters().all().size(), same.model.parameters().all().size());
  const auto names = reference::expected_names_and_shapes(reference_options(plain.options));
  for (size_t i = 0; i < names.size(); ++i) {
    EXPECT_EQ(same.model.parameters().all()[i].name, names[i].first);
    EXPECT_EQ(same.model.parameters().all()[i].published_shape, names[i].second);
  }
  EXPECT_TRUE(test::same_bits(same.fast().losses[0].second, plain.fast().losses[0].second));
  EXPECT_TRUE(test::same_bits(same.fast().loss, plain.fast().losses[0].second));
}

TEST(Mixture, HasTheNamesOfThePlainForm) {
  const BothForms both({.name = "", .clip = 0.5, .depth = 5, .mimic = "clip"});
  reference::ReferenceOptions same = reference_options(both.options);
  same.targets = {{"rgb"}, {"clip", 32}, {"ema", 16}};
  same.mimic_dim = 32;
  const auto names = reference::expected_names_and_shapes(same);
  ASSERT_EQ(both.model.parameters().all().size(), names.size());
  for (size_t i = 0; i < names.size(); ++i) {
    EXPECT_EQ(both.model.parameters().all()[i].name, names[i].first);
    EXPECT_EQ(both.model.parameters().all()[i].published_shape, names[i].second);
  }
  EXPECT_EQ(names.back().first, "mimic.pred.bias");
}

// The gradient of a parameter for the loss of one target; a negative `target` means the whole loss.
at::Tensor gradient_of(const BothForms& both, const std::string& name, int64_t target) {
  const auto result = both.fast();
  const at::Tensor loss =
      target < 0
          ? result.loss
          : result.losses[static_cast<size_t>(target)].second *
                both.options.targets.weight(result.losses[static_cast<size_t>(target)].first);
  return torch::autograd::grad({loss}, {both.model.parameters().find(name).value}, {}, std::nullopt,
                               false, /*allow_unused=*/true)[0];
}

TEST(Mixture, SharedBlocksGetTheSumOverBranches) {
  const BothForms both({.name = "", .clip = 0.25, .depth = 5});
  for (const char* name : {"decoder_blocks.1.mlp.fc1.weight", "decoder_embed.weight", "mask_token",
                           "blocks3.0.attn.qkv.weight"}) {
    const at::Tensor sum =
        gradient_of(both, name, 0) + gradient_of(both, name, 1) + gradient_of(both, name, 2);
    EXPECT_EQ(test::compare(gradient_of(both, name, -1), sum, 1e-12).description, "") << name;
  }
}

TEST(Mixture, ABranchKnowsNothingOfOtherTargets) {
  const BothForms both({.name = ""});
  EXPECT_FALSE(gradient_of(both, "reconstructors.ema.blocks.0.mlp.fc1.weight", 0).defined());
  EXPECT_FALSE(gradient_of(both, "reconstructors.rgb.pred.weight", 1).defined());
  EXPECT_TRUE(gradient_of(both, "reconstructors.ema.pred.weight", 1).defined());
}

// Compares gradients with central differences for some elements of every branch, of a shared block
// and of the mimic head.
TEST(Mixture, EveryBranchAgreesWithFiniteDifferences) {
  const test::OneThread quiet;
  const BothForms both({.name = "", .clip = 0.25, .depth = 5, .mimic = "clip"});
  for (const char* name :
       {"reconstructors.rgb.blocks.0.attn.qkv.weight",
        "reconstructors.clip.blocks.0.mlp.fc2.weight", "reconstructors.ema.blocks.0.norm1.weight",
        "reconstructors.ema.pred.weight", "reconstructors.clip.norm.bias",
        "decoder_blocks.0.attn.proj.weight", "mimic.norm.weight", "mimic.pred.weight"}) {
    const at::Tensor exact = gradient_of(both, name, -1).reshape({-1});
    const at::NoGradGuard no_gradient;
    const at::Tensor flat = both.model.parameters().find(name).value.view({-1});
    for (const int64_t at : {int64_t{1}, flat.numel() / 2, flat.numel() - 1}) {
      double* value = flat.mutable_data_ptr<double>() + at;
      const double centre = *value, step = 1e-5;
      *value = centre + step;
      const double above = both.fast().loss.item<double>();
      *value = centre - step;
      const double below = both.fast().loss.item<double>();
      *value = centre;
      EXPECT_NEAR(exact[at].item<double>(), (above - below) / (2 * step), 1e-8) << name << at;
    }
  }
}

}  // namespace
}  // namespace fcm::models
