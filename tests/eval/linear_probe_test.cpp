#include "fcm/eval/linear_probe.h"

#include <gtest/gtest.h>

#include <cmath>

#include "fcm/base/error.h"
#include "fcm/eval/lbfgs.h"
#include "fcm/eval/logistic.h"
#include "tests/eval/fashion_mnist.h"
#include "tests/eval/synthetic.h"

namespace fcm::eval {
namespace {

ProbeResult run(const Gaussians& train, const Gaussians& test, int64_t classes,
                const ProbeOptions& options = {}) {
  return linear_probe(train.features_ND, train.labels_N, test.features_ND, test.labels_N, classes,
                      options);
}

// The norm of the loss gradient at the returned classifier, by autograd in float64.
double gradient_norm(const Gaussians& train, const ProbeResult& probe) {
  const at::Tensor x = (train.features_ND.to(at::kDouble) - probe.mean_D) * probe.scale_D;
  const at::Tensor weights = probe.weights_DC.to(at::kDouble).requires_grad_(true);
  const at::Tensor bias = probe.bias_C.to(at::kDouble).requires_grad_(true);
  const at::Tensor scores = at::addmm(bias, x, weights);
  const at::Tensor loss =
      at::nll_loss(scores.log_softmax(1), train.labels_N) + weights.square().sum() * (probe.l2 / 2);
  loss.backward();
  return std::sqrt(weights.grad().square().sum().item<double>() +
                   bias.grad().square().sum().item<double>());
}

// The accuracy of the optimal classifier: for unit Gaussians of equal weight the nearest center.
double bayes_rate(const at::Tensor& centers_CD, const Gaussians& test) {
  const at::Tensor nearest = at::cdist(test.features_ND, centers_CD).argmin(1);
  return 100 * (nearest == test.labels_N).to(at::kDouble).mean().item<double>();
}

TEST(LinearProbe, SeparatesGaussiansAsWellAsCanBe) {
  const at::Tensor centers_CD = normal_numbers({10, 32}, 1) * 0.45;
  const Gaussians train = gaussians(centers_CD, 20000, 2), test = gaussians(centers_CD, 5000, 3);
  const ProbeResult result = run(train, test, 10);
  const double best = bayes_rate(centers_CD, test);
  EXPECT_GT(best, 60);
  EXPECT_LT(best, 95);
  EXPECT_NEAR(result.top1, best, 1.0);
  EXPECT_GT(result.top5, result.top1);
  EXPECT_EQ(result.images, 5000);
  EXPECT_TRUE(result.converged);
}

TEST(LinearProbe, EndsAtTheOptimum) {
  // The mix makes features strongly correlated and gives them very different scales.
  const at::Tensor mix = normal_numbers({24, 24}, 5) * at::logspace(-2, 2, 24);
  at::Tensor centers_CD = normal_numbers({5, 24}, 1) * 0.6;
  Gaussians train = gaussians(centers_CD, 3000, 2), test = gaussians(centers_CD, 1000, 3);
  train.features_ND = at::mm(train.features_ND, mix);
  test.features_ND = at::mm(test.features_ND, mix);
  const ProbeResult result = run(train, test, 5);
  EXPECT_TRUE(result.converged);
  EXPECT_LE(result.gradient_norm, 1e-4);
  EXPECT_LT(gradient_norm(train, result), 1.1e-4);
  // Negative control: if the solver stops early, the gradient norm is large.
  ProbeOptions hasty;
  hasty.max_iterations = 2;
  const ProbeResult early = run(train, test, 5, hasty);
  EXPECT_FALSE(early.converged);
  EXPECT_GT(gradient_norm(train, early), 1e-3);
}

TEST(LinearProbe, GivesTheSameBitsTwice) {
  const at::Tensor centers_CD = normal_numbers({10, 40}, 1) * 0.3;
  const Gaussians train = gaussians(centers_CD, 2000, 2), test = gaussians(centers_CD, 500, 3);
  const ProbeResult one = run(train, test, 10), two = run(train, test, 10);
  EXPECT_TRUE(one.weights_DC.equal(two.weights_DC));
  EXPECT_EQ(one.top1, two.top1);
}

// With few images and many useless features a strong penalty is better, and the loss on held-out
// images chooses one.
TEST(LinearProbe, ChoosesThePenaltyByWhatItHasNotSeen) {
  const at::Tensor centers_CD = at::cat({normal_numbers({4, 6}, 1), at::zeros({4, 300})}, 1);
  const Gaussians train = gaussians(centers_CD, 400, 2), test = gaussians(centers_CD, 4000, 3);
  const ProbeResult chosen = run(train, test, 4);
  ProbeOptions weak;
  weak.l2 = {1e-5};
  const ProbeResult free = run(train, test, 4, weak);
  EXPECT_GT(chosen.l2, 1e-2);
  EXPECT_EQ(free.l2, 1e-5);
  EXPECT_GT(chosen.top1, free.top1 + 3);
}

TEST(LinearProbe, ConstantAndRepeatedFeaturesDoNoHarm) {
  const at::Tensor centers_CD = normal_numbers({3, 8}, 1);
  Gaussians train = gaussians(centers_CD, 900, 2), test = gaussians(centers_CD, 300, 3);
  const double plain = run(train, test, 3).top1;
  const auto widened = [](const at::Tensor& x, float constant) {
    return at::cat({x, at::full({x.size(0), 2}, constant), x, x}, 1);
  };
  train.features_ND = widened(train.features_ND, 0.1F);
  test.features_ND = widened(test.features_ND, 5.0F);  // constant in each set, but another value
  const ProbeResult result = run(train, test, 3);
  EXPECT_TRUE(result.converged);
  EXPECT_NEAR(result.top1, plain, 1.0);
  EXPECT_EQ(result.scale_D[8].item<double>(), 0);
}

TEST(LinearProbe, AHandfulOfImagesIsEnoughToRun) {
  const at::Tensor centers_CD = normal_numbers({3, 8}, 1) * 3;
  const ProbeResult result = run(gaussians(centers_CD, 3, 2), gaussians(centers_CD, 30, 3), 3);
  EXPECT_TRUE(result.converged);
  EXPECT_GT(result.top1, 60);
}

TEST(LinearProbe, SaysWhatIsWrongWithFeatures) {
  const Gaussians good = gaussians(normal_numbers({3, 4}, 1), 30, 2);
  EXPECT_THROW(run({good.features_ND, good.labels_N + 1}, good, 3), Error);
  EXPECT_THROW(run(good, {good.features_ND * NAN, good.labels_N}, 3), Error);
  EXPECT_NO_THROW(run(good, good, 3));
}

TEST(Logistic, GradientIsThatOfAutograd) {
  const Gaussians data = gaussians(normal_numbers({4, 7}, 1), 50, 2);
  const Logistic logistic(data.features_ND, data.labels_N, 4);
  const at::Tensor point = normal_numbers({4, 8}, 3).to(at::kDouble).requires_grad_(true);
  const at::Tensor scores =
      at::addmm(point.select(1, 7), data.features_ND.to(at::kDouble), point.narrow(1, 0, 7).t());
  const at::Tensor loss = at::nll_loss(scores.log_softmax(1), data.labels_N) +
                          point.narrow(1, 0, 7).square().sum() * 0.05;
  loss.backward();
  const Evaluation evaluation = logistic.evaluate(point.detach(), 0.1);
  EXPECT_NEAR(evaluation.value, loss.item<double>(), 1e-6);
  EXPECT_LT((evaluation.gradient - point.grad()).abs().max().item<double>(), 1e-6);
}

TEST(LinearProbe, RawPixelsOfFashionMnist) {
  if (!have_fashion_mnist()) GTEST_SKIP() << "no " << fashion_mnist_folder();
  const Labelled train = fashion_mnist("train", 10000), test = fashion_mnist("t10k", 10000);
  const ProbeResult result =
      linear_probe(train.features_ND, train.labels_N, test.features_ND, test.labels_N, 10);
  EXPECT_TRUE(result.converged);
  EXPECT_GT(result.top1, 81);
  EXPECT_LT(result.top1, 85);
  EXPECT_GT(result.top5, 98.5);
  // The result is at the optimum: a tighter tolerance hardly changes it.
  ProbeOptions precise;
  precise.l2 = {result.l2};
  precise.tolerance = 1e-5;
  const ProbeResult exact =
      linear_probe(train.features_ND, train.labels_N, test.features_ND, test.labels_N, 10, precise);
  EXPECT_TRUE(exact.converged);
  EXPECT_NEAR(exact.top1, result.top1, 0.05);
  EXPECT_NEAR(exact.train_loss, result.train_loss, 1e-4);
  RecordProperty("top1", std::to_string(result.top1));
  RecordProperty("iterations", std::to_string(result.iterations));
}

}  // namespace
}  // namespace fcm::eval
