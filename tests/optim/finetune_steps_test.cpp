// Runs the upstream steps of fine-tuning with the reference model.
#include "tests/optim/finetune_steps.h"

#include <gtest/gtest.h>

#include "tests/support/compare.h"

namespace fcm::optim {
namespace {

// The weights of the reference model as parameters in a flat buffer, which the optimizer needs.
nn::Parameters parameters_of(const reference::ClassifierGolden& loaded) {
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

Outcome run(const std::string& name, double layer_decay) {
  const test::OneThread one_thread;
  const auto loaded = reference::load_classifier(name + ".golden.safetensors");
  nn::Parameters parameters = parameters_of(loaded);
  reference::Weights weights;
  for (const nn::Parameter& parameter : parameters.all()) weights[parameter.name] = parameter.value;
  return train_published_steps(
      parameters, loaded, name + ".adamw_lrd.safetensors", layer_decay,
      [&] { return reference::classify(weights, loaded.options, loaded.images).logits_BC; });
}

class FinetuneSteps : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!reference::have_fixtures()) GTEST_SKIP() << "no golden tensors";
  }
};

TEST_P(FinetuneSteps, ParametersRatesAndLossesArePublishedOnes) {
  expect_published(run(GetParam(), 0.65));
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
