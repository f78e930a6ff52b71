#include "fcm/loss/feature_loss.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/gradcheck.h"

namespace fcm::loss {
namespace {

at::Tensor row(std::vector<double> values) { return at::tensor(values, at::kDouble).view({1, -1}); }

TEST(FeatureLoss, SmoothL1IsSquareBelowOneAndStraightAbove) {
  const at::Tensor loss =
      feature_loss_sum(FeatureLoss::kSmoothL1, row({0.5, 3, 0, -2}), row({0, 0, 0, 0}));
  EXPECT_DOUBLE_EQ(loss.item<double>(), (0.125 + 2.5 + 0 + 1.5) / 4);
}

TEST(FeatureLoss, MeanSquaredError) {
  EXPECT_DOUBLE_EQ(feature_loss_sum(FeatureLoss::kMse, row({1, 3}), row({0, 1})).item<double>(),
                   2.5);
}

TEST(FeatureLoss, CosineDoesNotSeeLengths) {
  const double right =
      feature_loss_sum(FeatureLoss::kCosine, row({2, 0}), row({0, 5})).item<double>();
  EXPECT_DOUBLE_EQ(right, 1);
  EXPECT_NEAR(feature_loss_sum(FeatureLoss::kCosine, row({2, 2}), row({5, 5})).item<double>(), 0,
              1e-15);
  EXPECT_NEAR(feature_loss_sum(FeatureLoss::kCosine, row({1, 1}), row({1, 0})).item<double>(),
              1 - std::sqrt(0.5), 1e-15);
}

TEST(FeatureLoss, PatchesAddUpAndSlotsAreTaken) {
  const at::Tensor predictions = test::fixed_normal({2, 2, 3, 4}, 1);
  const at::Tensor targets = test::fixed_normal({2, 5, 4}, 2);
  const at::Tensor slots =
      at::tensor(std::vector<int64_t>{1, 2, 4, 0, 3, 4}, at::kLong).view({2, 3});
  for (const FeatureLoss kind : {FeatureLoss::kSmoothL1, FeatureLoss::kMse, FeatureLoss::kCosine}) {
    double sum = 0;
    for (int64_t b = 0; b < 2; ++b) {
      for (int64_t g = 0; g < 2; ++g) {
        for (int64_t h = 0; h < 3; ++h) {
          sum +=
              feature_loss_sum(kind, predictions[b][g][h], targets[b][slots[g][h].item<int64_t>()])
                  .item<double>();
        }
      }
    }
    EXPECT_NEAR(hidden_feature_loss_sum(kind, predictions, targets, slots).item<double>(), sum,
                1e-12);
    const auto loss = [&](const test::Inputs& inputs) {
      return hidden_feature_loss_sum(kind, inputs[0], targets, slots);
    };
    EXPECT_EQ(test::check_gradients(loss, {predictions}), "");
  }
}

TEST(FeatureLoss, NamesAreThoseOfRecipes) {
  EXPECT_EQ(feature_loss_named("smooth_l1"), FeatureLoss::kSmoothL1);
  EXPECT_EQ(feature_loss_named("mse"), FeatureLoss::kMse);
  EXPECT_EQ(feature_loss_named("cosine"), FeatureLoss::kCosine);
  EXPECT_THROW(feature_loss_named("l1"), std::logic_error);
}

}  // namespace
}  // namespace fcm::loss
