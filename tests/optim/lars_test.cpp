// Compares steps of linear probing (LARS and the head that it trains) with upstream's.
#include "fcm/optim/lars.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "fcm/heads/batch_norm_probe.h"
#include "fcm/loss/classification.h"
#include "tests/reference/classifier_golden.h"

namespace fcm::optim {
namespace {

using reference::fixture;
using reference::have_fixtures;
using reference::Tensors;

TEST(Lars, FollowsTheFormulaOverSteps) {
  nn::Parameters parameters(1, at::kDouble);
  parameters.add("weight", {4, 3}, nn::Init::kXavierUniform);
  parameters.add("bias", {4}, nn::Init::kFanIn, {}, 3);
  parameters.add("zero.weight", {2, 2}, nn::Init::kZeros);  // norm 0: the step is not scaled
  parameters.flatten();
  Lars optimizer(parameters, {.weight_decay = 0.1});
  std::vector<at::Tensor> values, momenta;
  for (const nn::Parameter& parameter : parameters.all()) {
    values.push_back(parameter.value.detach().clone());
    momenta.push_back(at::zeros_like(parameter.value).detach());
  }
  at::manual_seed(1);
  for (int step = 0; step < 3; ++step) {
    at::Tensor gradients = parameters.flat_gradients();
    gradients.copy_(at::randn_like(gradients));
    optimizer.step(0.5);
    for (size_t i = 0; i < values.size(); ++i) {
      at::Tensor change = parameters.all()[i].value.grad();
      if (values[i].dim() > 1) {
        change = change + 0.1 * values[i];
        const double own = values[i].norm().item<double>();
        if (own > 0) change = change * (0.001 * own / change.norm().item<double>());
      }
      momenta[i] = 0.9 * momenta[i] + change;
      values[i] = values[i] - 0.5 * momenta[i];
      EXPECT_TRUE(parameters.all()[i].value.allclose(values[i], 1e-13, 1e-15)) << i;
    }
  }
}

struct Probe {
  nn::Parameters parameters;
  heads::BatchNormProbe head;

  static Probe with(const Tensors& golden) {
    const at::Tensor weight = golden.at("head.weight0");
    nn::Parameters parameters(0, at::kFloat);
    heads::BatchNormProbe head(nn::Scope(parameters) / "head", weight.size(1), weight.size(0));
    parameters.flatten();
    parameters.set_published(parameters.find("head.1.weight"), weight);
    parameters.set_published(parameters.find("head.1.bias"), golden.at("head.bias0"));
    return {std::move(parameters), std::move(head)};
  }
};

// Runs the stored steps and returns the largest error relative to the bound. Options other than
// upstream's are a planted mistake.
double run_lars(const std::string& tag, double lr, const LarsOptions& options) {
  const char* file = "linprobe_tiny.golden.safetensors";
  const Tensors golden = test::read_safetensors(fixture(file));
  const nlohmann::json entry = reference::manifest_entry(file);
  reference::Comparison comparison(
      10 * entry.at("errors_fp32_vs_fp64").at("max_rel_to_tensor_max").get<double>());
  Probe probe = Probe::with(golden);
  Lars optimizer(probe.parameters, options);
  const at::Tensor features = golden.at(tag + ".feature"), labels = golden.at("labels");
  const auto add = [&](const std::string& name, const at::Tensor& ours) {
    comparison.add(name, ours.detach().reshape(golden.at(name).sizes()), golden.at(name));
  };
  for (const std::string step : {".s1.", ".s2."}) {
    optimizer.zero_gradients();
    const at::Tensor logits = probe.head.train(features);
    add(tag + step + "logits_train", logits);
    const at::Tensor loss = loss::cross_entropy(logits, labels);
    add(tag + step + "loss", loss);
    loss.backward();
    const auto value = [&](const char* name) { return probe.parameters.find(name).value; };
    add(tag + step + "grad.weight", value("head.1.weight").grad());
    add(tag + step + "grad.bias", value("head.1.bias").grad());
    optimizer.step(lr);
    add(tag + step + "weight", value("head.1.weight"));
    add(tag + step + "bias", value("head.1.bias"));
    add(tag + step + "running_mean", value("head.0.running_mean"));
    add(tag + step + "running_var", value("head.0.running_var"));
  }
  add(tag + ".logits_eval", probe.head.evaluate(features));
  EXPECT_EQ(probe.head.batches(), golden.at(tag + ".num_batches_tracked").item<int64_t>());
  return comparison.worst;
}

TEST(LinearProbe, TwoPublishedStepsWithAndWithoutDecay) {
  if (!have_fixtures()) GTEST_SKIP() << "no golden tensors at " << fixture("");
  EXPECT_LE(run_lars("wd0", 1.6, {}), 1);
  EXPECT_LE(run_lars("wd", 0.4, {.weight_decay = 0.01}), 1);
}

TEST(LinearProbe, MistakesAreNoticed) {
  if (!have_fixtures()) GTEST_SKIP() << "no golden tensors at " << fixture("");
  EXPECT_GT(run_lars("wd0", 1.6, {.momentum = 0.8}), 1);
  EXPECT_GT(run_lars("wd0", 1.6, {.trust = 0.002}), 1);
  EXPECT_GT(run_lars("wd", 0.4, {.weight_decay = 0.1}), 1);
}

// The stored features of the probe equal the features that the stored ConvViT computes.
TEST(LinearProbe, FeaturesAreTheClassifiers) {
  if (!have_fixtures()) GTEST_SKIP() << "no golden tensors at " << fixture("");
  const char* file = "linprobe_tiny.golden.safetensors";
  const nlohmann::json entry = reference::manifest_entry(file);
  const Tensors golden = test::read_safetensors(fixture(file));
  const auto options = reference::classifier_options(entry.at("constructor"));
  const uint64_t seed = entry.at("weight_seed");
  const auto result =
      reference::classify(reference::classifier_weights(options, seed), options,
                          test::procedural("images", seed, {6, 3, options.rows, options.cols}));
  reference::Comparison comparison(
      10 * entry.at("errors_fp32_vs_fp64").at("max_rel_to_tensor_max").get<double>());
  comparison.add("feature", result.features_BD, golden.at("wd.feature"));
  EXPECT_LE(comparison.worst, 1);
}

}  // namespace
}  // namespace fcm::optim
