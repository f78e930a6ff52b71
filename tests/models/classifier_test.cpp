// Compares the fast classifier with the reference in float64, and with stored tensors.
#include "fcm/models/classifier.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "fcm/loss/classification.h"
#include "fcm/ops/patchify/op.h"
#include "tests/optim/finetune_steps.h"
#include "tests/reference/classifier_golden.h"
#include "tests/support/compare.h"

namespace fcm::models {
namespace {

using reference::Tensors;

struct ClassifierSetting {
  std::string name;
  std::string kind;
  std::vector<int64_t> strides;
  int64_t grid_rows, grid_cols;
  bool mean_pool;
  double drop_path = 0;
};

void PrintTo(const ClassifierSetting& setting, std::ostream* out) { *out << setting.name; }

const std::string kConvVit = "conv_vit", kVit = "vit";

ClassifierOptions small_classifier(const ClassifierSetting& setting) {
  const ops::PatchGeometry geometry{setting.strides};
  ClassifierOptions options;
  options.kind = setting.kind;
  options.encoder = {"custom", setting.strides, {8, 12, 16}, {2, 1, 2}, 4, {2, 3, 4}};
  if (setting.kind == kVit) options.encoder = {"custom", setting.strides, {16}, {3}, 4, {3}};
  options.rows = setting.grid_rows * geometry.patch_side();
  options.cols = setting.grid_cols * geometry.patch_side();
  options.classes = 7;
  options.mean_pool = setting.mean_pool;
  options.drop_path = setting.drop_path;
  return options;
}

reference::ClassifierOptions reference_options(const ClassifierOptions& options) {
  reference::ClassifierOptions same;
  static_cast<reference::EncoderSizes&>(same) = reference::encoder_sizes(options);
  same.classes = options.classes;
  same.mean_pool = options.mean_pool;
  same.compute = at::kDouble;
  return same;
}

ClassifierOptions fast_options(const reference::ClassifierOptions& options) {
  ClassifierOptions same;
  same.kind = options.kind == reference::Kind::kVit ? kVit : kConvVit;
  same.rows = options.rows;
  same.cols = options.cols;
  same.channels = options.channels;
  same.encoder = {"custom",       options.strides, options.dims,
                  options.depths, options.heads,   options.mlp_ratios};
  same.classes = options.classes;
  same.mean_pool = options.mean_pool;
  return same;
}

struct Inputs {
  masks::ViewPlan plan;
  at::Tensor pixels_BLPD;
};

Inputs inputs_of(const Classifier& model, const at::Tensor& images_BCHW) {
  const masks::ViewPlan plan = masks::full_plan(images_BCHW.size(0), model.grid());
  return {plan, ops::patchify_normalised(images_BCHW, plan.order_BL, model.geometry())};
}

at::Tensor logits_of(const Classifier& model, const at::Tensor& images_BCHW, at::ScalarType compute,
                     const nn::DropPath& drop_path = {}) {
  const Inputs inputs = inputs_of(model, images_BCHW);
  return model.classify(model.features(inputs.pixels_BLPD, inputs.plan, compute, drop_path));
}

Tensors gradients_of(const Classifier& model) {
  Tensors gradients;
  for (const nn::Parameter& parameter : model.parameters().all()) {
    gradients[parameter.name] =
        nn::to_published(parameter.value.grad(), parameter.layout, parameter.published_shape);
  }
  return gradients;
}

struct Comparison {
  double loss = 0, loss_reference = 0;
  double worst_gradient = 0;  // largest error relative to the tensor's largest value
  std::string worst_name;
};

// `wrong_pool` plants a mistake: the reference uses the other kind of pooling.
Comparison compare(const ClassifierSetting& setting, bool wrong_pool = false) {
  const test::OneThread one_thread;
  at::manual_seed(3);
  const ClassifierOptions options = small_classifier(setting);
  Classifier model(options, 11, at::kDouble);
  {
    // Biases start at zero. Noise gives every parameter an effect.
    const at::NoGradGuard no_grad;
    at::Tensor values = model.parameters().flat_values();
    values.add_(at::randn_like(values), 0.05);
  }
  const at::Tensor images = at::randn({3, 3, options.rows, options.cols}, at::kDouble);
  const at::Tensor labels = at::tensor({1, 6, 0}, at::kLong);
  const std::vector<int64_t> ids{40, 41, 7};
  const nn::DropPath drop_path = model.draw_drop_path(1, 2, ids);
  EXPECT_EQ(drop_path.empty(), setting.drop_path == 0);
  const at::Tensor loss =
      loss::label_smoothing_cross_entropy(logits_of(model, images, at::kDouble, drop_path), labels);
  torch::autograd::backward({loss}, {});

  reference::Weights weights;
  for (const nn::Parameter& parameter : model.parameters().all()) {
    weights[parameter.name] = model.parameters().published(parameter).clone();
    if (wrong_pool && parameter.name.starts_with("fc_norm")) {
      weights["norm" + parameter.name.substr(7)] = weights[parameter.name];
    }
    weights[parameter.name].requires_grad_(true);
  }
  reference::ClassifierOptions published = reference_options(options);
  published.mean_pool = published.mean_pool != wrong_pool;
  const at::Tensor wanted = loss::label_smoothing_cross_entropy(
      reference::classify(weights, published, images, drop_path).logits_BC, labels);
  torch::autograd::backward({wanted}, {});

  Comparison comparison{loss.item<double>(), wanted.item<double>(), 0, ""};
  if (wrong_pool) return comparison;
  for (const auto& [name, gradient] : gradients_of(model)) {
    const at::Tensor want = weights.at(name).grad();
    const double error = (gradient - want).abs().max().item<double>() /
                         std::max(want.abs().max().item<double>(), 1e-12);
    if (error > comparison.worst_gradient) {
      comparison.worst_gradient = error;
      comparison.worst_name = name;
    }
  }
  return comparison;
}

class ClassifierEqualsThePublishedForm : public ::testing::TestWithParam<ClassifierSetting> {};

TEST_P(ClassifierEqualsThePublishedForm, LossAndEveryGradient) {
  const Comparison comparison = compare(GetParam());
  EXPECT_NEAR(comparison.loss, comparison.loss_reference, 1e-13 * comparison.loss_reference);
  EXPECT_LT(comparison.worst_gradient, 1e-11) << comparison.worst_name;
}

INSTANTIATE_TEST_SUITE_P(
    Settings, ClassifierEqualsThePublishedForm,
    ::testing::Values(ClassifierSetting{"conv_mean", kConvVit, {4, 2, 2}, 3, 3, true},
                      ClassifierSetting{"conv_token", kConvVit, {4, 2, 2}, 3, 3, false},
                      ClassifierSetting{"conv_wide", kConvVit, {2, 2, 3}, 2, 5, true},
                      ClassifierSetting{"conv_tall_token", kConvVit, {2, 2, 2}, 5, 2, false},
                      ClassifierSetting{"conv_drop_path", kConvVit, {2, 2, 2}, 3, 4, true, 0.6},
                      ClassifierSetting{"vit_mean", kVit, {8}, 3, 3, true},
                      ClassifierSetting{"vit_token", kVit, {8}, 3, 3, false},
                      ClassifierSetting{"vit_wide_mean", kVit, {6}, 2, 5, true},
                      ClassifierSetting{"vit_drop_path", kVit, {8}, 3, 4, false, 0.6}),
    [](const auto& tested) { return tested.param.name; });

TEST(Classifier, TheOtherPoolingIsNoticed) {
  for (const std::string& kind : {kConvVit, kVit}) {
    const std::vector<int64_t> strides =
        kind == kVit ? std::vector<int64_t>{8} : std::vector<int64_t>{2, 2, 2};
    const Comparison comparison = compare({"", kind, strides, 3, 3, true}, true);
    EXPECT_GT(std::abs(comparison.loss - comparison.loss_reference), 1e-5);
  }
}

TEST(Classifier, DropPathChangesOnlyTheImagesItHits) {
  const Classifier model(small_classifier({"", kConvVit, {2, 2, 2}, 2, 2, true}), 11);
  at::manual_seed(2);
  const at::Tensor images = at::randn({2, 3, model.options().rows, model.options().cols});
  nn::DropPath drop_path(5, nn::BranchScales{at::ones({2}), at::ones({2})});
  const Inputs inputs = inputs_of(model, images);
  const auto features = [&](const nn::DropPath& with) {
    return model.features(inputs.pixels_BLPD, inputs.plan, at::kFloat, with);
  };
  const at::Tensor plain = features({});
  EXPECT_TRUE(features(drop_path).equal(plain));
  for (size_t block = 0; block < 5; ++block) {
    nn::DropPath one = drop_path;
    one[block].second_B = at::tensor({1.0F, 0.0F});
    const at::Tensor dropped = features(one);
    EXPECT_TRUE(dropped[0].equal(plain[0])) << block;
    EXPECT_FALSE(dropped[1].allclose(plain[1], 1e-4, 1e-4)) << block;
  }
}

TEST(Classifier, HasThePublishedParametersInTheirOrder) {
  for (const bool mean_pool : {true, false}) {
    for (const std::string& kind : {kConvVit, kVit}) {
      ClassifierOptions options = small_classifier({"", kind, {8}, 2, 2, mean_pool});
      if (kind == kConvVit) options = small_classifier({"", kind, {4, 2, 2}, 2, 2, mean_pool});
      const Classifier model(options, 0);
      const auto expected = reference::classifier_names_and_shapes(reference_options(options));
      ASSERT_EQ(model.parameters().all().size(), expected.size());
      for (size_t i = 0; i < expected.size(); ++i) {
        const nn::Parameter& parameter = model.parameters().all()[i];
        EXPECT_EQ(parameter.name, expected[i].first);
        EXPECT_EQ(parameter.published_shape, expected[i].second) << parameter.name;
        EXPECT_TRUE(parameter.trainable) << parameter.name;
      }
    }
  }
}

TEST(Classifier, BaseModelHasThePublishedCountAndASmallHead) {
  ClassifierOptions options;
  options.encoder = encoder::named_size(kConvVit, "base");
  const Classifier model(options, 0);
  EXPECT_EQ(model.parameters().trainable_elements(), 85'374'824);
  EXPECT_NEAR(model.parameters().find("head.weight").value.std().item<double>(), 2e-5, 1e-7);
  EXPECT_EQ(model.parameters().find("head.bias").value.abs().max().item<double>(), 0);
}

TEST(Classifier, FrozenPositionsGetNoGradient) {
  ClassifierOptions options = small_classifier({"", kConvVit, {2, 2, 2}, 2, 2, true});
  options.trainable_positions = false;
  const Classifier model(options, 0);
  EXPECT_FALSE(model.parameters().find("pos_embed").trainable);
  options.trainable_positions = true;
  const Classifier other(options, 0);
  EXPECT_EQ(other.parameters().trainable_elements() - model.parameters().trainable_elements(),
            4 * 16);
}

TEST(Classifier, BfloatStaysNearFloatAndItsLogitsAreFloats) {
  for (const std::string& kind : {kConvVit, kVit}) {
    const std::vector<int64_t> strides =
        kind == kVit ? std::vector<int64_t>{8} : std::vector<int64_t>{2, 2, 2};
    const Classifier model(small_classifier({"", kind, strides, 3, 4, true}), 11);
    at::manual_seed(2);
    const at::Tensor images = at::randn({2, 3, model.options().rows, model.options().cols});
    const Inputs inputs = inputs_of(model, images);
    const at::Tensor fp32 = model.features(inputs.pixels_BLPD, inputs.plan, at::kFloat);
    const at::Tensor bf16 = model.features(inputs.pixels_BLPD, inputs.plan, at::kBFloat16);
    EXPECT_EQ(bf16.scalar_type(), at::kFloat);
    EXPECT_GT(at::cosine_similarity(fp32, bf16, 1).min().item<double>(), 0.999);
    EXPECT_FALSE(fp32.equal(bf16));
    const at::Tensor labels = at::tensor({1, 2}, at::kLong);
    torch::autograd::backward({loss::cross_entropy(model.classify(bf16), labels)}, {});
    EXPECT_TRUE(model.parameters().flat_gradients().isfinite().all().item<bool>());
  }
}

Classifier published(const reference::ClassifierGolden& loaded) {
  Classifier model(fast_options(loaded.options), 0);
  for (const nn::Parameter& parameter : model.parameters().all()) {
    model.parameters().set_published(parameter, loaded.weights.at(parameter.name));
  }
  return model;
}

class ClassifierFixtures : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!reference::have_fixtures()) GTEST_SKIP() << "no golden tensors";
  }
};

TEST_P(ClassifierFixtures, PublishedStepsOfFineTuning) {
  const test::OneThread one_thread;
  const auto loaded = reference::load_classifier(GetParam() + ".golden.safetensors");
  Classifier model = published(loaded);
  optim::expect_published(optim::train_published_steps(
      model.parameters(), loaded, GetParam() + ".adamw_lrd.safetensors", 0.65,
      [&] { return logits_of(model, loaded.images, at::kFloat); }));
}

INSTANTIATE_TEST_SUITE_P(Published, ClassifierFixtures,
                         testing::Values("convvit_tiny_gap", "convvit_tiny_token0", "vit_tiny_gap",
                                         "vit_tiny_cls"),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace fcm::models
