// The published ConvViT-B classifier, 85 million weights, against samples stored from it.
#include <gtest/gtest.h>

#include "tests/reference/classifier_golden.h"

namespace fcm::reference {
namespace {

class ClassifierBase : public testing::TestWithParam<std::string> {};

TEST_P(ClassifierBase, ActivationsLogitsLossesAndGradientSamples) {
  if (!have_fixtures()) GTEST_SKIP() << "no golden tensors at " << fixture("");
  const ClassifierGolden loaded = load_classifier(GetParam() + ".golden.safetensors");
  ASSERT_EQ(loaded.names.size(), 207u);
  const Weights weights = leaves(loaded.weights);
  Activations activations(loaded);
  const ClassifierResult result =
      classify(weights, loaded.options, loaded.images, {},
               [&](const std::string& name, const at::Tensor& value) { activations(name, value); });
  activations.expect_all_within_tolerance();
  expect_logits(loaded, result.logits_BC);
  expect_losses(loaded, result.logits_BC);
  loss::label_smoothing_cross_entropy(result.logits_BC, loaded.labels).backward();
  expect_gradients(loaded, gradients_of(weights), "", "ls.");
}

INSTANTIATE_TEST_SUITE_P(Published, ClassifierBase,
                         testing::Values("convvit_base_gap", "convvit_base_token0"),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace fcm::reference
