// Batch normalisation over several ranks equals that of one rank with all images.
#include "fcm/nn/batch_norm.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <tuple>

#include "tests/dist/thread_group.h"

namespace fcm::nn {
namespace {

constexpr int64_t kImages = 6, kChannels = 3, kSide = 4;

struct Tensors {
  at::Tensor x = at::arange(kImages * kChannels * kSide * kSide, at::kDouble)
                     .mul(0.7)
                     .sin()
                     .add(100)  // the mean is far from 0
                     .view({kImages, kChannels, kSide, kSide});
  at::Tensor weight_C = at::arange(1, kChannels + 1).to(at::kDouble).div(2).requires_grad_(true);
  at::Tensor bias_C = at::arange(kChannels).to(at::kDouble).requires_grad_(true);
  RunningStatistics running{at::zeros({kChannels}, at::kDouble),
                            at::ones({kChannels}, at::kDouble)};
};

// A loss in which every element has another weight. `first`: the index of the first image of y.
at::Tensor loss_of(const at::Tensor& y, int64_t first) {
  const int64_t per_image = y.numel() / y.size(0);
  const at::Tensor factors = at::arange(y.numel(), at::kDouble).add(first * per_image).cos();
  return (y.flatten() * factors).sum() + y.square().sum() * 0.1;
}

struct Results {
  at::Tensor y, of_x, of_weight, of_bias, mean, variance;
};

// LibTorch's results for all images.
Results whole() {
  Tensors t;
  t.x.requires_grad_(true);
  const at::Tensor y = at::batch_norm(t.x, t.weight_C, t.bias_C, t.running.mean_C,
                                      t.running.variance_C, true, 0.1, 1e-5, false);
  torch::autograd::backward({loss_of(y, 0)}, {});
  return {y.detach(),      t.x.grad(),       t.weight_C.grad(),
          t.bias_C.grad(), t.running.mean_C, t.running.variance_C};
}

TEST(BatchNorm, OfSeveralRanksIsThatOfAllImages) {
  const Results wanted = whole();
  const std::vector<std::vector<int64_t>> splits = {{0, 6}, {0, 3, 6}, {0, 1, 4, 6}};
  for (const std::vector<int64_t>& borders : splits) {
    const auto ranks = std::ssize(borders) - 1;
    dist::test::run_ranks(ranks, [&](dist::Group& group) {
      const std::shared_ptr<dist::Group> shared(&group, [](dist::Group*) {});
      const auto rank = static_cast<size_t>(group.rank());
      const int64_t first = borders[rank], count = borders[rank + 1] - first;
      Tensors t;
      const at::Tensor mine = t.x.narrow(0, first, count).clone().requires_grad_(true);
      const at::Tensor y = batch_norm(mine, t.weight_C, t.bias_C, t.running, shared);
      torch::autograd::backward({loss_of(y, first)}, {});
      EXPECT_TRUE(y.allclose(wanted.y.narrow(0, first, count), 1e-9, 1e-9));
      EXPECT_TRUE(mine.grad().allclose(wanted.of_x.narrow(0, first, count), 1e-9, 1e-9));
      EXPECT_TRUE(t.running.mean_C.allclose(wanted.mean));
      EXPECT_TRUE(t.running.variance_C.allclose(wanted.variance));
      // Parameter gradients are those of the rank's images; the reducer would sum them.
      at::Tensor of_weight = t.weight_C.grad().clone(), of_bias = t.bias_C.grad().clone();
      group.sum(of_weight);
      group.sum(of_bias);
      EXPECT_TRUE(of_weight.allclose(wanted.of_weight, 1e-9, 1e-9));
      EXPECT_TRUE(of_bias.allclose(wanted.of_bias, 1e-9, 1e-9));
    });
  }
}

// As in detectron2: the output equals that of one rank with all images, the running variance is
// biased, and ranks may have no images.
TEST(BatchNorm, OfWeightedRanksHasTheBiasedVarianceAndTakesEmptyRanks) {
  const Results wanted = whole();
  const BatchNormOptions weighted{1e-5, 0.1, OverRanks::kWeightedRanks};
  const double count = kImages * kSide * kSide;
  const at::Tensor biased = 0.9 + (wanted.variance - 0.9) * ((count - 1) / count);
  for (const std::vector<int64_t>& borders :
       {std::vector<int64_t>{0, 6}, {0, 6, 6}, {0, 2, 2, 6}}) {
    const auto ranks = std::ssize(borders) - 1;
    dist::test::run_ranks(ranks, [&](dist::Group& group) {
      const std::shared_ptr<dist::Group> shared(&group, [](dist::Group*) {});
      const auto rank = static_cast<size_t>(group.rank());
      const int64_t first = borders[rank], own = borders[rank + 1] - first;
      Tensors t;
      const at::Tensor mine = t.x.narrow(0, first, own).clone().requires_grad_(true);
      const at::Tensor y = batch_norm(mine, t.weight_C, t.bias_C, t.running, shared, weighted);
      const at::Tensor factors = at::arange(y.numel(), at::kDouble).add(first * y.numel()).cos();
      torch::autograd::backward({(y.flatten() * factors).sum()}, {});
      EXPECT_TRUE(y.allclose(wanted.y.narrow(0, first, own), 1e-9, 1e-9));
      EXPECT_TRUE(t.running.mean_C.allclose(wanted.mean));
      EXPECT_TRUE(t.running.variance_C.allclose(ranks == 1 ? wanted.variance : biased, 1e-12));
    });
  }
  Tensors t;
  const at::Tensor none = t.x.narrow(0, 0, 0).requires_grad_(true);
  const at::Tensor y =
      batch_norm(none, t.weight_C, t.bias_C, t.running, dist::group_of_one(), weighted);
  EXPECT_EQ(y.sizes(), none.sizes());
  EXPECT_TRUE(t.running.mean_C.equal(Tensors().running.mean_C));
}

TEST(BatchNorm, ByRunningStatisticsIsThatOfEvaluation) {
  Tensors t;
  t.running.mean_C.fill_(99);
  t.running.variance_C.fill_(2);
  const at::NoGradGuard no_grad;
  const at::Tensor wanted = at::batch_norm(t.x, t.weight_C, t.bias_C, t.running.mean_C,
                                           t.running.variance_C, false, 0.1, 1e-5, false);
  EXPECT_TRUE(batch_norm_by(t.running, t.x, t.weight_C, t.bias_C).allclose(wanted));
}

TEST(BatchNorm, TakesLowPrecisionAndMatrices) {
  Tensors t;
  const at::Tensor features = t.x.flatten(2).mean(2).to(at::kBFloat16);
  const at::Tensor y = batch_norm(features, t.weight_C, t.bias_C, t.running, dist::group_of_one());
  EXPECT_EQ(y.scalar_type(), at::kBFloat16);
  EXPECT_EQ(y.sizes(), features.sizes());
  EXPECT_THROW(
      batch_norm(features.narrow(0, 0, 1), t.weight_C, t.bias_C, t.running, dist::group_of_one()),
      std::logic_error);  // one value has no variance
}

}  // namespace
}  // namespace fcm::nn
