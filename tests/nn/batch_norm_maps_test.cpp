// Batch normalisation of NHWC maps equals LibTorch's, and over several ranks that of one rank with
// all images.
#include "fcm/nn/batch_norm_maps.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/dist/thread_group.h"
#include "tests/support/error_of.h"
#include "tests/support/gradcheck.h"

namespace fcm::nn {
namespace {

constexpr int64_t kWidth = 5;

struct Layer {
  Parameters parameters;
  BatchNorm norm;
  explicit Layer(at::ScalarType type = at::kDouble, const BatchNormOptions& options = {})
      : parameters(1, type), norm(Scope(parameters) / "bn", kWidth, options) {
    const at::NoGradGuard no_grad;
    set("bn.weight", test::fixed_normal({kWidth}, 11));
    set("bn.bias", test::fixed_normal({kWidth}, 12));
    set("bn.running_mean", test::fixed_normal({kWidth}, 13));
    set("bn.running_var", test::fixed_normal({kWidth}, 14).abs() + 0.5);
  }
  void set(const char* name, const at::Tensor& value) {
    parameters.set_published(parameters.find(name), value);
  }
  at::Tensor value(const char* name) const { return parameters.find(name).value; }
};

at::Tensor a_map() { return test::fixed_normal({6, 7, 4, kWidth}, 5) * 2 + 30; }

// LibTorch's batch norm on NCHW maps, with or without ReLU.
at::Tensor by_the_library(const Layer& layer, const at::Tensor& x_BHWC, bool training, bool relu) {
  const at::Tensor y = at::batch_norm(x_BHWC.permute({0, 3, 1, 2}), layer.value("bn.weight"),
                                      layer.value("bn.bias"), layer.value("bn.running_mean"),
                                      layer.value("bn.running_var"), training, 0.1, 1e-5, false);
  return (relu ? y.relu() : y).permute({0, 2, 3, 1});
}

// Gradients of x, weight and bias for a random weighted sum of the output.
test::Inputs layer_gradients(const at::Tensor& y, const at::Tensor& x, const Layer& layer) {
  return test::gradients(y, {x, layer.value("bn.weight"), layer.value("bn.bias")},
                         test::fixed_normal(y.sizes(), 8));
}

TEST(BatchNormMaps, IsTheLibrarysInTrainingAndEvaluation) {
  for (const bool training : {true, false}) {
    for (const bool relu : {false, true}) {
      const Layer ours, plain;
      const at::Tensor x = a_map().requires_grad_(true), z = a_map().requires_grad_(true);
      const at::Tensor y = ours.norm(x, training ? dist::group_of_one() : nullptr, relu);
      const at::Tensor wanted = by_the_library(plain, z, training, relu);
      EXPECT_EQ(test::compare(y, wanted, 1e-12).description, "");
      const test::Inputs got = layer_gradients(y, x, ours),
                         right = layer_gradients(wanted, z, plain);
      for (size_t i = 0; i < got.size(); ++i) {
        EXPECT_EQ(test::compare(got[i], right[i], 1e-11).description, "") << i;
      }
      for (const char* name : {"bn.running_mean", "bn.running_var"}) {
        EXPECT_EQ(test::compare(ours.value(name), plain.value(name), 1e-13).description, "");
      }
      EXPECT_EQ(ours.value("bn.num_batches_tracked").item<double>(), training ? 1 : 0);
      EXPECT_NE(test::compare(y, by_the_library(plain, z, !training, relu), 1e-3).description, "");
    }
  }
}

TEST(BatchNormMaps, InPlaceIsTheSame) {
  for (const at::ScalarType type : {at::kDouble, at::kBFloat16}) {
    const Layer layer;
    const at::NoGradGuard no_grad;
    at::Tensor x = a_map().to(type);
    const Moments moments = layer.norm.moments(x, nullptr);
    const at::Tensor wanted = layer.norm(x, nullptr, true);
    const at::Tensor got =
        normalised_in_place(x, layer.norm.weight(), layer.norm.bias(), moments, true);
    EXPECT_TRUE(test::same_bits(got, wanted));
    EXPECT_TRUE(got.is_same(x));
  }
}

TEST(BatchNormMaps, OfSeveralRanksIsThatOfAllImages) {
  const Layer plain;
  const at::Tensor all = a_map().requires_grad_(true);
  const at::Tensor wanted = by_the_library(plain, all, true, true);
  const at::Tensor upstream = test::fixed_normal(wanted.sizes(), 8);
  const test::Inputs right =
      test::gradients(wanted, {all, plain.value("bn.weight"), plain.value("bn.bias")}, upstream);
  const std::vector<int64_t> borders{0, 1, 4, 6};
  dist::test::run_ranks(3, [&](dist::Group& group) {
    const Ranks shared(&group, [](dist::Group*) {});
    const auto rank = static_cast<size_t>(group.rank());
    const int64_t first = borders[rank], count = borders[rank + 1] - first;
    const Layer layer;
    const at::Tensor x = a_map().narrow(0, first, count).clone().requires_grad_(true);
    const at::Tensor y = layer.norm(x, shared, true);
    EXPECT_EQ(test::compare(y, wanted.narrow(0, first, count), 1e-11).description, "");
    const test::Inputs got = test::gradients(
        y, {x, layer.value("bn.weight"), layer.value("bn.bias")}, upstream.narrow(0, first, count));
    EXPECT_EQ(test::compare(got[0], right[0].narrow(0, first, count), 1e-10).description, "");
    for (const size_t i : {size_t{1}, size_t{2}}) {  // gradients of one rank; the reducer sums them
      at::Tensor sum = got[i].clone();
      group.sum(sum);
      EXPECT_EQ(test::compare(sum, right[i], 1e-10).description, "");
    }
    for (const char* name : {"bn.running_mean", "bn.running_var"}) {
      EXPECT_EQ(test::compare(layer.value(name), plain.value(name), 1e-12).description, "");
    }
  });
}

// With weighted ranks, every rank's results equal those of batch_norm.
TEST(BatchNormMaps, OfWeightedRanksIsThePlainForm) {
  const BatchNormOptions weighted{1e-5, 0.1, OverRanks::kWeightedRanks};
  for (const std::vector<int64_t>& borders :
       {std::vector<int64_t>{0, 6}, {0, 0, 4, 6}, {0, 0, 0}}) {
    dist::test::run_ranks(std::ssize(borders) - 1, [&](dist::Group& group) {
      const Ranks shared(&group, [](dist::Group*) {});
      const auto rank = static_cast<size_t>(group.rank());
      const int64_t first = borders[rank], count = borders[rank + 1] - first;
      const Layer ours(at::kDouble, weighted), plain;
      const at::Tensor x = a_map().narrow(0, first, count).clone().requires_grad_(true);
      const at::Tensor z = x.detach().permute({0, 3, 1, 2}).clone().requires_grad_(true);
      const at::Tensor y = ours.norm(x, shared, /*relu=*/true);
      const at::Tensor wanted =
          batch_norm(z, plain.value("bn.weight"), plain.value("bn.bias"),
                     {plain.value("bn.running_mean"), plain.value("bn.running_var")}, shared,
                     weighted)
              .relu();
      EXPECT_EQ(test::compare(y.permute({0, 3, 1, 2}), wanted, 1e-12).description, "");
      const at::Tensor upstream = test::fixed_normal(y.sizes(), 8);
      const test::Inputs got =
          test::gradients(y, {x, ours.value("bn.weight"), ours.value("bn.bias")}, upstream);
      const test::Inputs right =
          test::gradients(wanted, {z, plain.value("bn.weight"), plain.value("bn.bias")},
                          upstream.permute({0, 3, 1, 2}));
      EXPECT_EQ(test::compare(got[0].permute({0, 3, 1, 2}), right[0], 1e-11).description, "");
      EXPECT_EQ(test::compare(got[1], right[1], 1e-11).description, "");
      EXPECT_EQ(test::compare(got[2], right[2], 1e-11).description, "");
      for (const char* name : {"bn.running_mean", "bn.running_var"}) {
        EXPECT_EQ(test::compare(ours.value(name), plain.value(name), 1e-13).description, "");
      }
    });
  }
}

TEST(BatchNormMaps, RefusesOneValueAChannelAndSaysWhatToDo) {
  const Layer layer;
  const at::Tensor one = test::fixed_normal({1, 1, 1, kWidth}, 1);
  const std::string said =
      test::error_of(ExitCode::kUsage, [&] { layer.norm(one, dist::group_of_one()); });
  EXPECT_NE(said.find("batches of two images or more"), std::string::npos) << said;
  EXPECT_NO_THROW(layer.norm(one, nullptr));
  dist::test::run_ranks(2, [&](dist::Group& group) {
    const Layer own;
    EXPECT_NO_THROW(
        own.norm(one + static_cast<double>(group.rank()), Ranks(&group, [](dist::Group*) {})));
  });
}

TEST(BatchNormMaps, Float32KeepsTheVarianceOfWhatIsFarFromZero) {
  const Layer layer(at::kFloat);
  const at::Tensor x = test::fixed_normal({2, 40, 41, kWidth}, 3) + 1000;
  const at::Tensor y = layer.norm(x.to(at::kFloat), dist::group_of_one());
  const Layer exact;
  const at::Tensor wanted = by_the_library(exact, x.to(at::kFloat).to(at::kDouble), true, false);
  // At this mean, float32 resolves x only to 6e-5 of its std. A variance from a sum of squares
  // would have no correct digit.
  EXPECT_EQ(test::compare(y, wanted, 1e-4).description, "");
}

}  // namespace
}  // namespace fcm::nn
