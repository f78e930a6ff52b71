// Tests norms after convolutions: both kinds of norm, and chains of convolutions and norms that
// recompute intermediate results in backward.
#include "fcm/nn/map_norm.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "fcm/nn/conv.h"
#include "tests/support/gradcheck.h"

namespace fcm::nn {
namespace {

struct Chain {
  Parameters parameters;
  std::vector<ConvNormAct> convs;

  explicit Chain(MapNormOptions::Kind kind) : parameters(5, at::kDouble) {
    for (const int64_t i : {0, 1, 2}) {
      const Scope scope = Scope(parameters) / i;
      convs.emplace_back(
          scope, scope / "norm",
          ConvNormOptions{.shape = {.in = 4, .out = 4}, .norm = {.kind = kind}, .relu = i < 2});
    }
  }
  test::Inputs trained() const {
    test::Inputs values;
    for (const Parameter& parameter : parameters.all()) {
      if (parameter.trainable) values.push_back(parameter.value);
    }
    return values;
  }
};

TEST(MapNorm, ManyInARowAreTheSameMadeAgainOrKept) {
  for (const auto kind : {MapNormOptions::Kind::kBatch, MapNormOptions::Kind::kLayer}) {
    for (const bool training : {true, false}) {
      const Chain again(kind), kept(kind);
      const Ranks ranks = training ? dist::group_of_one() : nullptr;
      const at::Tensor x = test::fixed_normal({3, 6, 5, 4}, 1).requires_grad_(true);
      Recomputed map(x);
      at::Tensor plain = x;
      for (size_t i = 0; i < 3; ++i) {
        map = again.convs[i](map, ranks);
        plain = kept.convs[i](plain, ranks);
      }
      const at::Tensor y = map.value(), upstream = test::fixed_normal(y.sizes(), 3);
      EXPECT_TRUE(test::same_bits(y, plain));
      test::Inputs of = again.trained(), of_plain = kept.trained();
      of.push_back(x);
      of_plain.push_back(x);
      const test::Inputs got = test::gradients(y, of, upstream),
                         right = test::gradients(plain, of_plain, upstream);
      for (size_t i = 0; i < got.size(); ++i) {
        EXPECT_EQ(test::compare(got[i], right[i], 1e-13).description, "") << i;
      }
    }
  }
}

TEST(MapNorm, OverChannelsIsTheLibrarysLayerNormAndHasNoStatistics) {
  Parameters parameters(1, at::kDouble);
  const MapNorm norm(Scope(parameters) / "norm", 5, {.kind = MapNormOptions::Kind::kLayer});
  EXPECT_EQ(parameters.all().size(), 2u);
  const at::Tensor weight = test::fixed_normal({5}, 1), bias = test::fixed_normal({5}, 2);
  parameters.set_published(parameters.find("norm.weight"), weight);
  parameters.set_published(parameters.find("norm.bias"), bias);
  const at::Tensor x = test::fixed_normal({2, 3, 4, 5}, 3) * 1e-3;  // so small that epsilon matters
  const at::Tensor wanted = at::layer_norm(x, {5}, weight, bias, 1e-6);
  EXPECT_EQ(test::compare(norm(x, nullptr, false).value(), wanted, 1e-12).description, "");
  EXPECT_EQ(
      test::compare(norm(x, dist::group_of_one(), true).value(), wanted.relu(), 1e-12).description,
      "");
  EXPECT_NE(test::compare(norm(x, nullptr, false).value(),
                          at::layer_norm(x, {5}, weight, bias, 1e-5), 1e-3)
                .description,
            "");
}

}  // namespace
}  // namespace fcm::nn
