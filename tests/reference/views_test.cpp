// Tests properties of the reference model that need no stored tensors.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "fcm/base/error.h"
#include "tests/reference/golden.h"

namespace fcm::reference {
namespace {

ReferenceOptions small_view_options(Kind kind = Kind::kConvVit) {
  ReferenceOptions options;
  options.kind = kind;
  options.rows = 48;  // 3 x 5 patches: not square, not a multiple of four
  options.cols = 80;
  options.dims = {8, 12, 16};
  options.depths = {1, 1, 1};
  options.heads = 2;
  options.mlp_ratios = {2, 2, 2};
  if (kind == Kind::kVit) {
    options.strides = {16};
    options.dims = {16};
    options.depths = {2};
    options.mlp_ratios = {2};
  }
  options.decoder_dim = 8;
  options.decoder_depth = 1;
  options.decoder_heads = 2;
  options.decoder_mlp_ratio = 2;
  options.compute = at::kDouble;
  return options;
}

Weights small_weights(const ReferenceOptions& options, at::ScalarType type = at::kDouble) {
  Weights weights;
  for (const auto& [name, shape] : expected_names_and_shapes(options)) {
    weights[name] = test::procedural(name, 3, shape).to(type);
  }
  return weights;
}

struct Inputs {
  at::Tensor images, noise;
};

Inputs small_inputs(int64_t batch = 2) {
  return {test::procedural("images", 3, {batch, 3, 48, 80}).to(at::kDouble),
          test::procedural("noise", 3, {batch, 15})};
}

// Noise whose ranks are rotated by `start`, so that its first view is the view of `noise` that
// starts at rank `start`.
at::Tensor rotated_noise(const at::Tensor& noise, int64_t start) {
  const at::Tensor ranks = noise.argsort(true, 1).argsort(true, 1);
  return (ranks - start).remainder(noise.size(1)).to(at::kDouble) /
         static_cast<double>(noise.size(1));
}

std::vector<int64_t> rotated_sizes(std::vector<int64_t> sizes, size_t view) {
  std::rotate(sizes.begin(), sizes.begin() + static_cast<int64_t>(view), sizes.end());
  return sizes;
}

at::Tensor all_gradients(const Weights& weights) {
  std::vector<at::Tensor> parts;
  for (const auto& [name, value] : weights) {
    if (!is_position_table(name)) parts.push_back(value.grad().flatten());
  }
  return at::cat(parts);
}

class AllViews : public testing::TestWithParam<std::tuple<Kind, std::vector<int64_t>>> {};

// FastConvMAE has the outputs of one ConvMAE per view. Its loss and gradients are the means of
// theirs, weighted by the number of hidden patches. With a ViT, the same holds for one MAE per
// view.
TEST_P(AllViews, AreTheMeanOfOneViewModels) {
  const auto& [kind, sizes] = GetParam();
  const ReferenceOptions options = small_view_options(kind);
  const Inputs inputs = small_inputs();
  const Weights together = trainable(small_weights(options));
  const ReferenceResult all = forward(together, options, inputs.images, inputs.noise, sizes,
                                      static_cast<int64_t>(sizes.size()));
  all.loss.backward();

  const Weights apart = trainable(small_weights(options));
  at::Tensor loss;
  int64_t start = 0, hidden = 0;
  for (size_t view = 0; view < sizes.size(); ++view) {
    const ReferenceResult one =
        forward(apart, options, inputs.images, rotated_noise(inputs.noise, start),
                rotated_sizes(sizes, view), 1);
    EXPECT_TRUE(one.masks[0].equal(all.masks[view]));
    EXPECT_TRUE(one.latents[0].allclose(all.latents[view], 1e-12, 1e-13));
    EXPECT_TRUE(one.predictions[0].allclose(all.predictions[view], 1e-12, 1e-13));
    const at::Tensor weighted = one.loss * (15 - sizes[view]);
    loss = loss.defined() ? loss + weighted : weighted;
    hidden += 15 - sizes[view];
    start += sizes[view];
  }
  loss = loss / hidden;
  loss.backward();
  EXPECT_NEAR(loss.item<double>(), all.loss.item<double>(), 1e-14);
  const at::Tensor expected = all_gradients(apart), got = all_gradients(together);
  EXPECT_GT(expected.abs().max().item<double>(), 1e-3);
  EXPECT_LE((got - expected).abs().max().item<double>(),
            1e-13 * expected.abs().max().item<double>());
}

INSTANTIATE_TEST_SUITE_P(Sizes, AllViews,
                         testing::Combine(testing::Values(Kind::kConvVit, Kind::kVit),
                                          testing::Values(std::vector<int64_t>{5, 5, 5},
                                                          std::vector<int64_t>{3, 3, 3, 6},
                                                          std::vector<int64_t>{7, 8})));

TEST(KeptViews, AreTheFirstOfAllViews) {
  const ReferenceOptions options = small_view_options();
  const Weights weights = small_weights(options);
  const Inputs inputs = small_inputs();
  const std::vector<int64_t> sizes{3, 3, 3, 6};
  const ReferenceResult all = forward(weights, options, inputs.images, inputs.noise, sizes, 4);
  const ReferenceResult two = forward(weights, options, inputs.images, inputs.noise, sizes, 2);
  ASSERT_EQ(two.latents.size(), 2u);
  for (size_t view = 0; view < 2; ++view) {
    EXPECT_TRUE(two.latents[view].allclose(all.latents[view], 1e-12, 1e-13));
    EXPECT_TRUE(two.predictions[view].allclose(all.predictions[view], 1e-12, 1e-13));
  }
  EXPECT_EQ(all.latents[3].size(1), 6);
}

class SeparateViews : public testing::TestWithParam<Kind> {};

// Pixels of patches that a view does not contain have no influence on the view.
TEST_P(SeparateViews, SeeNothingOfHiddenPatches) {
  const ReferenceOptions options = small_view_options(GetParam());
  const Weights weights = small_weights(options);
  const Inputs inputs = small_inputs();
  const std::vector<int64_t> sizes{3, 3, 3, 6};
  for (const int64_t kept : {1, 4}) {
    const at::Tensor images = inputs.images.clone().requires_grad_(true);
    const ReferenceResult result = forward(weights, options, images, inputs.noise, sizes, kept);
    const auto view = static_cast<size_t>(kept - 1);
    result.latents[view].square().sum().backward();
    const at::Tensor per_patch =
        images.grad().abs().reshape({2, 3, 3, 16, 5, 16}).sum({1, 3, 5}).flatten(1);
    EXPECT_EQ((per_patch * result.masks[view]).max().item<double>(), 0);
    EXPECT_EQ((per_patch > 0).sum().item<int64_t>(), 2 * sizes[view]);
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, SeparateViews, testing::Values(Kind::kConvVit, Kind::kVit));

TEST(Compute, Bfloat16StaysCloseAndKeepsTheTypeOfTheRest) {
  ReferenceOptions options = small_view_options();
  options.compute = at::kFloat;
  const Inputs inputs = small_inputs();
  const at::Tensor images = inputs.images.to(at::kFloat);
  const Weights exact = trainable(small_weights(options, at::kFloat));
  const Weights rounded = trainable(small_weights(options, at::kFloat));
  const at::Tensor loss = forward(exact, options, images, inputs.noise, {5, 5, 5}, 3).loss;
  loss.backward();
  options.compute = at::kBFloat16;
  const ReferenceResult result = forward(rounded, options, images, inputs.noise, {5, 5, 5}, 3);
  result.loss.backward();
  EXPECT_EQ(result.loss.scalar_type(), at::kFloat);
  EXPECT_EQ(result.latents[0].scalar_type(), at::kFloat);
  EXPECT_EQ(result.predictions[0].scalar_type(), at::kBFloat16);
  EXPECT_NEAR(result.loss.item<double>(), loss.item<double>(), 0.005 * loss.item<double>());
  EXPECT_NE(result.loss.item<double>(), loss.item<double>());
  const at::Tensor expected = all_gradients(exact), got = all_gradients(rounded);
  EXPECT_EQ(got.scalar_type(), at::kFloat);
  EXPECT_GT(at::cosine_similarity(expected, got, 0).item<double>(), 0.999);
}

ExitCode code_of(const Weights& weights, const ReferenceOptions& options,
                 const std::vector<int64_t>& sizes) {
  const Inputs inputs = small_inputs();
  try {
    forward(weights, options, inputs.images, inputs.noise, sizes, 1);
  } catch (const Error& error) {
    return error.code();
  }
  return ExitCode::kDone;
}

TEST(Mistakes, HaveTheirExitCodes) {
  ReferenceOptions options = small_view_options();
  Weights weights = small_weights(options);
  EXPECT_EQ(code_of(weights, options, {7, 8}), ExitCode::kDone);
  EXPECT_EQ(code_of(weights, options, {15}), ExitCode::kUsage);
  weights.erase("blocks2.0.attn.bias");
  EXPECT_EQ(code_of(weights, options, {7, 8}), ExitCode::kCheckpoint);
  options.rows = 50;
  EXPECT_EQ(code_of(weights, options, {7, 8}), ExitCode::kUsage);
}

}  // namespace
}  // namespace fcm::reference
