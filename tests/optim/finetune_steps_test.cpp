// Three published steps of fine-tuning: layer decay, schedule, AdamW and the model together.
#include <ATen/ATen.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "fcm/optim/adamw.h"
#include "fcm/optim/schedule.h"
#include "tests/reference/classifier_golden.h"
#include "tests/support/compare.h"

namespace fcm::optim {
namespace {

using reference::fixture;
using reference::have_fixtures;
using reference::Tensors;

// The weights of the reference model, held where the optimizer wants them.
nn::Parameters held(const reference::ClassifierGolden& loaded) {
  nn::Parameters parameters(0, at::kFloat);
  for (const auto& [name, shape] : reference::classifier_names_and_shapes(loaded.options)) {
    parameters.add(name, shape, nn::Init::kZeros);
  }
  parameters.flatten();
  for (const nn::Parameter& parameter : parameters.all()) {
    parameters.set_published(parameter, loaded.weights.at(parameter.name));
  }
  return parameters;
}

// What the published run passed to adjust_learning_rate: lr 2e-3 down to 1e-6, 4 of 10 epochs warm.
OptimOptions published_options() {
  OptimOptions options;
  options.batch_size = 256;
  options.base_lr = 2e-3;
  options.min_lr = 1e-6;
  options.warmup_epochs = 4;
  options.epochs = 10;
  options.beta2 = 0.999;
  return options;
}

// Errors over what is allowed, ten times those of the published float32 run: the largest of all
// elements, and the mean. The k third of qkv biases is left out: its true gradient is zero, so that
// Adam makes steps of rounding noise.
struct Errors {
  double largest = 0, mean = 0;
};

Errors errors(const nn::Parameters& parameters, const Tensors& golden, int step,
              const nlohmann::json& published) {
  std::vector<at::Tensor> all;
  for (const nn::Parameter& parameter : parameters.all()) {
    const std::string key = fmt::format("step{}.{}", step, parameter.name);
    at::Tensor ours = parameter.value.detach().flatten();
    at::Tensor wanted;
    if (const auto whole = golden.find(key); whole != golden.end()) {
      wanted = whole->second.flatten();
    } else {
      ours = ours.index_select(0, golden.at(key + ".idx"));
      wanted = golden.at(key + ".val");
    }
    at::Tensor error = (ours - wanted).abs();
    if (parameter.name.ends_with("attn.qkv.bias")) {
      error.narrow(0, error.size(0) / 3, error.size(0) / 3).zero_();
    }
    all.push_back(error);
  }
  const at::Tensor error = at::cat(all).to(at::kDouble);
  return {error.max().item<double>() / (10 * published.at("max_abs").get<double>()),
          error.mean().item<double>() / (10 * published.at("mean_abs").get<double>())};
}

struct Outcome {
  std::vector<double> losses;
  double worst_rate = 0;
  Errors step1, step3;
};

Outcome run(const std::string& name, double layer_decay) {
  const test::OneThread one_thread;
  const auto loaded = reference::load_classifier(name + ".golden.safetensors");
  const std::string file = name + ".adamw_lrd.safetensors";
  const Tensors golden = test::read_safetensors(fixture(file));
  const nlohmann::json published = reference::manifest_entry(file).at("errors_fp32_vs_fp64");
  nn::Parameters parameters = held(loaded);
  const OptimOptions options = published_options();
  AdamW optimizer(parameters, layer_decay_groups(parameters, 0.05, layer_decay), options);
  reference::Weights weights;
  for (const nn::Parameter& parameter : parameters.all()) weights[parameter.name] = parameter.value;

  Outcome result;
  const at::Tensor rates = golden.at("group_lrs");
  for (int step = 1; step <= 3; ++step) {
    const double lr = lr_at_epoch(options, 2 + 0.5 * (step - 1));
    EXPECT_EQ(rates.size(1), static_cast<int64_t>(optimizer.groups().size()));
    for (size_t group = 0; group < optimizer.groups().size(); ++group) {
      const double wanted = rates[step - 1][static_cast<int64_t>(group)].item<double>();
      const double error = std::abs(optimizer.groups()[group].lr(lr) - wanted) / wanted;
      result.worst_rate = std::max(result.worst_rate, error);
    }
    optimizer.zero_gradients();
    const auto forward = reference::classify(weights, loaded.options, loaded.images);
    const at::Tensor loss = loss::label_smoothing_cross_entropy(forward.logits_BC, loaded.labels);
    loss.backward();
    result.losses.push_back(loss.item<double>());
    optimizer.step(lr);
    if (step == 1) result.step1 = errors(parameters, golden, 1, published);
    if (step == 3) result.step3 = errors(parameters, golden, 3, published);
  }
  return result;
}

class FinetuneSteps : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!have_fixtures()) GTEST_SKIP() << "no golden tensors at " << fixture("");
  }
};

TEST_P(FinetuneSteps, ParametersRatesAndLossesArePublishedOnes) {
  const Outcome result = run(GetParam(), 0.65);
  EXPECT_LE(result.worst_rate, 1e-7);  // stored in float32
  EXPECT_LE(result.step1.largest, 1);
  EXPECT_LE(result.step1.mean, 1);
  EXPECT_LE(result.step3.largest, 1);
  EXPECT_LE(result.step3.mean, 1);
  const auto golden = test::read_safetensors(fixture(GetParam() + ".adamw_lrd.safetensors"));
  for (size_t step = 0; step < 3; ++step) {
    const double wanted = golden.at("losses")[static_cast<int64_t>(step)].item<double>();
    EXPECT_NEAR(result.losses[step], wanted, 1e-6 * wanted) << step;
  }
}

TEST_P(FinetuneSteps, AnotherLayerDecayIsNoticed) {
  const Outcome result = run(GetParam(), 0.66);
  EXPECT_GT(result.worst_rate, 1e-3);
  EXPECT_GT(result.step1.mean, 1);
  EXPECT_GT(result.step3.mean, 1);
}

INSTANTIATE_TEST_SUITE_P(Published, FinetuneSteps,
                         testing::Values("convvit_tiny_gap", "convvit_tiny_token0", "vit_tiny_gap",
                                         "vit_tiny_cls"),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace fcm::optim
