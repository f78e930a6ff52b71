#include "fcm/heads/batch_norm_probe.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace fcm::heads {
namespace {

struct Probe {
  nn::Parameters parameters{5, at::kDouble};
  BatchNormProbe head{nn::Scope(parameters) / "head", 6, 3};
  Probe() { parameters.flatten(); }
};

TEST(BatchNormProbe, HasThePublishedNamesAndTrainsTheLinearLayerAlone) {
  const Probe probe;
  std::vector<std::string> names, trained;
  for (const nn::Parameter& parameter : probe.parameters.all()) {
    names.push_back(parameter.name);
    if (parameter.trainable) trained.push_back(parameter.name);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"head.0.running_mean", "head.0.running_var",
                                             "head.1.weight", "head.1.bias"}));
  EXPECT_EQ(trained, (std::vector<std::string>{"head.1.weight", "head.1.bias"}));
  EXPECT_LT(probe.parameters.find("head.1.weight").value.abs().max().item<double>(), 0.05);
}

TEST(BatchNormProbe, TrainingIsTheLibrarysBatchNormalisation) {
  Probe probe;
  at::manual_seed(4);
  at::Tensor mean = at::zeros({6}, at::kDouble), variance = at::ones({6}, at::kDouble);
  for (int step = 0; step < 3; ++step) {
    const at::Tensor features = at::randn({5, 6}, at::kDouble) * 3 + 1;
    const at::Tensor normed = at::batch_norm(features, {}, {}, mean, variance, /*training=*/true,
                                             0.1, 1e-6, /*cudnn_enabled=*/false);
    const at::Tensor wanted = at::linear(normed, probe.parameters.find("head.1.weight").value,
                                         probe.parameters.find("head.1.bias").value);
    EXPECT_TRUE(probe.head.train(features).allclose(wanted, 1e-12, 1e-13));
  }
  EXPECT_TRUE(probe.parameters.find("head.0.running_mean").value.allclose(mean, 1e-13, 1e-14));
  EXPECT_TRUE(probe.parameters.find("head.0.running_var").value.allclose(variance, 1e-13, 1e-14));
  EXPECT_EQ(probe.head.batches(), 3);
}

TEST(BatchNormProbe, EvaluationDependsOnNoOtherImage) {
  Probe probe;
  at::manual_seed(4);
  const at::Tensor features = at::randn({5, 6}, at::kDouble);
  probe.head.train(features);
  const at::Tensor together = probe.head.evaluate(features);
  const at::Tensor alone = probe.head.evaluate(features.narrow(0, 2, 1));
  EXPECT_TRUE(alone.allclose(together.narrow(0, 2, 1), 1e-12, 1e-13));
  EXPECT_FALSE(probe.head.train(features).allclose(together, 1e-3, 1e-3));
  EXPECT_THROW(probe.head.train(features.narrow(0, 0, 1)), std::logic_error);
}

}  // namespace
}  // namespace fcm::heads
