// Compares the cross decoder, in which hidden patches attend only to visible ones, with the
// reference in float64.
#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <functional>

#include "fcm/models/masked_autoencoder.h"
#include "tests/models/small_model.h"
#include "tests/support/compare.h"
#include "tests/support/gradcheck.h"

namespace fcm::models {
namespace {

struct CrossSetting {
  std::string name;
  Setting setting{"", {2, 2, 2}, 4, 4, 0.75, 0};
  double share = 1;
  std::string reads = "mix";
  double ema = 0;  // weight of the second target, 0 for none
  int64_t depth = 2;
};

void PrintTo(const CrossSetting& cross, std::ostream* out) { *out << cross.name; }

AutoencoderOptions cross_options(const CrossSetting& cross) {
  AutoencoderOptions options = small_options(cross.setting);
  options.decoder.kind = "cross";
  options.decoder.depth = cross.depth;
  options.decoder.share = cross.share;
  options.decoder.reads = cross.reads;
  options.targets.ema = cross.ema;
  return options;
}

reference::ReferenceOptions plain_cross_options(const AutoencoderOptions& options) {
  reference::ReferenceOptions same = reference_options(options);
  same.cross = true;
  same.share = options.decoder.share;
  same.reads_mix = options.decoder.reads_blocks();
  same.independent_blocks = options.decoder.independent_blocks;
  if (options.targets.ema > 0) {
    same.targets = {{"rgb", 0, options.targets.rgb},
                    {"ema", options.encoder.dims.back(), options.targets.ema}};
  }
  return same;
}

// A fast model, and the inputs of the fast model and of the reference: images, plans, features.
struct BothCross {
  explicit BothCross(const CrossSetting& cross)
      : options(cross_options(cross)), model(options, 11, at::kDouble) {
    at::manual_seed(3);
    perturb(model);
    const masks::MaskOptions mask_options{cross.setting.ratio, {cross.setting.kept}};
    sizes = masks::view_sizes(model.grid().patches(), mask_options);
    kept = masks::kept_views(sizes, mask_options);
    noise = at::rand({2, model.grid().patches()}, at::kDouble);
    images = at::randn({2, options.channels, options.rows, options.cols}, at::kDouble);
    whole = masks::plan_from_noise(noise, model.grid(), sizes, kept);
    plan = masks::with_drawn_share(whole, cross.share);
    pixels = ops::patchify_normalised(images, plan.order_BL, model.geometry());
    if (cross.ema > 0) {
      const int64_t dim = options.encoder.dims.back();
      raster["ema"] = at::randn({2, model.grid().patches(), dim}, at::kDouble);
      features["ema"] = raster["ema"].gather(1, plan.order_BL.unsqueeze(-1).expand({-1, -1, dim}));
    }
  }

  MaskedAutoencoder::Result fast() const {
    return model.forward(pixels, plan, at::kDouble, {}, features);
  }
  reference::ReferenceResult plain(const reference::Weights& weights,
                                   const reference::ReferenceOptions& same) const {
    return reference::forward(weights, same, images, noise, sizes, kept, {}, raster);
  }

  AutoencoderOptions options;
  MaskedAutoencoder model;
  std::vector<int64_t> sizes;
  int64_t kept = 0;
  at::Tensor noise, images, pixels;
  masks::ViewPlan whole, plan;  // `whole` predicts all hidden patches, `plan` only the drawn ones
  targets::Features raster, features;
};

struct WorstOfCross {
  double loss = 0, gradient = 0;  // largest relative errors
  std::string name;
};

using CrossMistake = std::function<void(reference::ReferenceOptions&)>;

WorstOfCross compare_cross_forms(const CrossSetting& cross, const CrossMistake& mistake = {}) {
  const test::OneThread quiet;
  const BothCross both(cross);
  const auto result = both.fast();
  torch::autograd::backward({result.loss}, {});
  const reference::Weights weights = published_weights(both.model);
  reference::ReferenceOptions same = plain_cross_options(both.options);
  if (mistake) mistake(same);
  const auto wanted = both.plain(weights, same);
  torch::autograd::backward({wanted.loss}, {});
  WorstOfCross worst;
  worst.loss = std::abs(result.loss.item<double>() / wanted.loss.item<double>() - 1);
  for (const nn::Parameter& parameter : both.model.parameters().all()) {
    if (!parameter.trainable) continue;
    const at::Tensor gradient =
        nn::to_published(parameter.value.grad(), parameter.layout, parameter.published_shape);
    const at::Tensor& want = weights.at(parameter.name).grad();
    const double error = !want.defined() ? gradient.abs().max().item<double>()
                                         : test::compare(gradient, want, 1).max_rel;
    if (error > worst.gradient) worst = {worst.loss, error, parameter.name};
  }
  return worst;
}

class CrossEqualsThePlainForm : public ::testing::TestWithParam<CrossSetting> {};

TEST_P(CrossEqualsThePlainForm, LossAndEveryGradient) {
  const WorstOfCross worst = compare_cross_forms(GetParam());
  EXPECT_LT(worst.loss, 1e-13);
  EXPECT_LT(worst.gradient, 1e-11) << worst.name;
}

const Setting kCrossVit{"", {8}, 4, 4, 0.75, 0};
const Setting kCrossUnequal{"", {2, 2, 2}, 5, 3, 0.75, 0};
const Setting kCrossUnequalVit{"", {4}, 5, 3, 0.75, 3};
const Setting kCrossOneView{"", {2, 2, 2}, 4, 4, 0.75, 1};
const Setting kCrossTwoOfFour{"", {2, 2, 2}, 6, 4, 0.75, 2};

INSTANTIATE_TEST_SUITE_P(
    Forms, CrossEqualsThePlainForm,
    ::testing::Values(CrossSetting{.name = "mix_all"},
                      CrossSetting{.name = "mix_half", .share = 0.5},
                      CrossSetting{.name = "mix_quarter", .share = 0.25},
                      CrossSetting{.name = "latent_all", .reads = "latent"},
                      CrossSetting{.name = "latent_quarter", .share = 0.25, .reads = "latent"},
                      CrossSetting{.name = "one_patch", .share = 0.01},
                      CrossSetting{.name = "one_view", .setting = kCrossOneView, .share = 0.5},
                      CrossSetting{.name = "two_of_four", .setting = kCrossTwoOfFour, .share = 0.3},
                      CrossSetting{.name = "unequal", .setting = kCrossUnequal, .share = 0.25},
                      CrossSetting{.name = "vit_mix", .setting = kCrossVit, .share = 0.25},
                      CrossSetting{.name = "vit_latent", .setting = kCrossVit, .reads = "latent"},
                      CrossSetting{
                          .name = "vit_unequal", .setting = kCrossUnequalVit, .share = 0.5},
                      CrossSetting{.name = "two_targets", .share = 0.5, .ema = 0.5, .depth = 4},
                      CrossSetting{.name = "nothing_shared", .share = 0.5, .ema = 0.5, .depth = 2},
                      CrossSetting{.name = "vit_two_targets",
                                   .setting = kCrossVit,
                                   .reads = "latent",
                                   .ema = 0.5,
                                   .depth = 3}),
    [](const auto& tested) { return tested.param.name; });

// Negative controls: the comparison detects another share of drawn patches, and blocks that read
// another source.
TEST(CrossControl, OtherPatchesAreNoticed) {
  const WorstOfCross worst =
      compare_cross_forms({.name = "", .share = 0.5}, [](auto& plain) { plain.share = 0.6; });
  EXPECT_GT(worst.loss, 1e-6);
  EXPECT_GT(worst.gradient, 1e-4);
}

TEST(CrossControl, OtherKeysAreNoticed) {
  const WorstOfCross worst =
      compare_cross_forms({.name = ""}, [](auto& plain) { plain.reads_mix = false; });
  EXPECT_GT(worst.loss, 1e-6);
  EXPECT_GT(worst.gradient, 1e-4);
}

TEST(CrossDecoder, HasTheNamesOfThePlainForm) {
  for (const CrossSetting& cross :
       {CrossSetting{.name = ""}, CrossSetting{.name = "", .reads = "latent"},
        CrossSetting{.name = "", .setting = kCrossVit, .ema = 0.5, .depth = 4}}) {
    const BothCross both(cross);
    const auto names = reference::expected_names_and_shapes(plain_cross_options(both.options));
    ASSERT_EQ(both.model.parameters().all().size(), names.size());
    for (size_t i = 0; i < names.size(); ++i) {
      EXPECT_EQ(both.model.parameters().all()[i].name, names[i].first);
      EXPECT_EQ(both.model.parameters().all()[i].published_shape, names[i].second);
    }
  }
}

// The prediction of a drawn patch does not depend on whether the other patches are drawn.
TEST(CrossDecoder, TheDrawnPatchesAreGuessedAsIfAllWere) {
  for (const CrossSetting& cross :
       {CrossSetting{.name = "", .share = 0.25},
        CrossSetting{.name = "", .setting = kCrossUnequal, .share = 0.5, .ema = 0.5, .depth = 4},
        CrossSetting{.name = "", .setting = kCrossVit, .share = 0.5, .reads = "latent"}}) {
    const BothCross both(cross);
    const auto features = both.model.encode(both.pixels, both.plan, at::kDouble);
    const auto some = both.model.reconstruct(features, both.pixels, both.plan, {}, both.features);
    const auto all = both.model.reconstruct(features, both.pixels, both.whole, {}, both.features);
    ASSERT_EQ(some.reconstruction.runs.size(), all.reconstruction.runs.size());
    for (size_t run = 0; run < all.reconstruction.runs.size(); ++run) {
      const auto &of_some = some.reconstruction.runs[run], &of_all = all.reconstruction.runs[run];
      const at::Tensor &drawn_GH = of_some.hidden_slots_GH, &hidden_GH = of_all.hidden_slots_GH;
      EXPECT_LT(drawn_GH.size(1), hidden_GH.size(1));
      for (size_t target = 0; target < of_all.predictions_BGHD.size(); ++target) {
        for (int64_t view = 0; view < drawn_GH.size(0); ++view) {
          const at::Tensor places = at::searchsorted(hidden_GH[view], drawn_GH[view]);
          ASSERT_TRUE(at::equal(hidden_GH[view].index_select(0, places), drawn_GH[view]));
          EXPECT_EQ(
              test::compare(of_some.predictions_BGHD[target].select(1, view),
                            of_all.predictions_BGHD[target].select(1, view).index_select(1, places),
                            1e-13)
                  .description,
              "");
        }
      }
    }
  }
}

// Compares gradients with central differences for some elements of parameters that only the cross
// decoder has.
TEST(CrossDecoder, AgreesWithFiniteDifferences) {
  const test::OneThread quiet;
  const BothCross both({.name = "", .share = 0.5, .ema = 0.5, .depth = 4});
  for (const char* name :
       {"decoder_blocks.0.mix.weight", "decoder_blocks.1.norm_kv.weight",
        "decoder_blocks.0.cross_attn.q.weight", "decoder_blocks.1.cross_attn.kv.weight",
        "reconstructors.rgb.blocks.0.mix.weight",
        "reconstructors.ema.blocks.0.cross_attn.proj.bias",
        "reconstructors.ema.blocks.0.mlp.fc1.weight", "mask_token", "blocks3.0.attn.qkv.weight"}) {
    const at::Tensor value = both.model.parameters().find(name).value;
    const at::Tensor exact = torch::autograd::grad({both.fast().loss}, {value})[0].reshape({-1});
    const at::NoGradGuard no_gradient;
    const at::Tensor flat = value.view({-1});
    for (const int64_t at : {int64_t{0}, flat.numel() / 2, flat.numel() - 1}) {
      double* number = flat.mutable_data_ptr<double>() + at;
      const double centre = *number, step = 1e-5;
      *number = centre + step;
      const double above = both.fast().loss.item<double>();
      *number = centre - step;
      const double below = both.fast().loss.item<double>();
      *number = centre;
      EXPECT_NEAR(exact[at].item<double>(), (above - below) / (2 * step), 1e-8) << name << at;
    }
  }
}

TEST(CrossDecoder, TheBiasOfKeysGetsNoGradientAtAll) {
  const BothCross both({.name = ""});
  torch::autograd::backward({both.fast().loss}, {});
  const at::Tensor gradient =
      both.model.parameters().find("decoder_blocks.0.cross_attn.kv.bias").value.grad();
  EXPECT_EQ(gradient.narrow(0, 0, 16).abs().max().item<double>(), 0);
  EXPECT_GT(gradient.narrow(0, 16, 16).abs().max().item<double>(), 0);
}

// If nothing is hidden, the decoder does not run, so the encoder saves no block inputs for it.
TEST(CrossDecoder, AnEncoderKeepsNothingOfWholeImages) {
  const BothCross both({.name = ""});
  const auto plan = masks::full_plan(2, both.model.grid());
  EXPECT_TRUE(both.model.encode(both.pixels, plan, at::kDouble).block_inputs_NTC.empty());
  EXPECT_EQ(both.model.encode(both.pixels, both.plan, at::kDouble).block_inputs_NTC.front().size(),
            2U);
}

TEST(CrossDecoder, BfloatStaysNearFloat) {
  const AutoencoderOptions options = cross_options({.name = "", .share = 0.5});
  MaskedAutoencoder model(options, 11);
  at::manual_seed(2);
  const std::vector<int64_t> ids{5, 6};
  const masks::ViewPlan plan =
      masks::with_drawn_share(masks::plan_for_samples(ids, 1, 0, model.grid(), {}), 0.5);
  const at::Tensor pixels = at::randn({2, 16, 16, 12});
  const double fp32 = model.forward(pixels, plan, at::kFloat).loss.item<double>();
  const auto bf16 = model.forward(pixels, plan, at::kBFloat16);
  EXPECT_NEAR(bf16.loss.item<double>(), fp32, 0.01 * fp32);
  torch::autograd::backward({bf16.loss}, {});
  EXPECT_TRUE(model.parameters().flat_gradients().isfinite().all().item<bool>());
}

}  // namespace
}  // namespace fcm::models
