#include "fcm/eval/attention.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/models/inputs.h"
#include "fcm/recipe/recipe_files.h"
#include "fcm/recipe/setup.h"

namespace fcm::eval {
namespace {

QueriesAndKeys random_block(int64_t width, int64_t heads) {
  const auto values = [](std::vector<int64_t> shape) { return at::randn(shape, at::kDouble); };
  return {values({width}),
          values({width}),
          1e-6,
          values({3 * width, width}),
          values({3 * width}),
          heads};
}

// The attention weights of one query in one head, computed term by term in float64.
std::vector<double> softmax_of_products(const at::Tensor& x_TC, const QueriesAndKeys& block,
                                        int64_t head, int64_t query, double scale) {
  const int64_t tokens = x_TC.size(0), width = x_TC.size(1), part = width / block.heads;
  const auto product = [&](int64_t token, int64_t row) {
    const at::Tensor x_C = x_TC[token];
    const double mean = x_C.mean().item<double>();
    const double variance = x_C.var(0, /*unbiased=*/false).item<double>();
    double sum = block.qkv_bias_3C[row].item<double>();
    for (int64_t c = 0; c < width; ++c) {
      const double normal = (x_C[c].item<double>() - mean) /
                                std::sqrt(variance + block.norm_epsilon) *
                                block.norm_weight_C[c].item<double>() +
                            block.norm_bias_C[c].item<double>();
      sum += normal * block.qkv_weight_3CxC[row][c].item<double>();
    }
    return sum;
  };
  std::vector<double> logits(static_cast<size_t>(tokens));
  for (int64_t key = 0; key < tokens; ++key) {
    for (int64_t i = 0; i < part; ++i) {
      logits[static_cast<size_t>(key)] +=
          scale * product(query, head * part + i) * product(key, width + head * part + i);
    }
  }
  const double most = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (double& value : logits) sum += value = std::exp(value - most);
  for (double& value : logits) value /= sum;
  return logits;
}

double largest_difference(double scale) {
  at::manual_seed(5);
  constexpr int64_t kTokens = 5, kWidth = 8, kHeads = 2;
  const at::Tensor x_NTC = at::randn({2, kTokens, kWidth}, at::kDouble);
  const QueriesAndKeys block = random_block(kWidth, kHeads);
  const at::Tensor weights = attention_weights(x_NTC, block);
  double largest = 0;
  for (int64_t head = 0; head < kHeads; ++head) {
    for (int64_t query = 0; query < kTokens; ++query) {
      const std::vector<double> plain = softmax_of_products(x_NTC[1], block, head, query, scale);
      for (int64_t key = 0; key < kTokens; ++key) {
        const double got = weights[1][head][query][key].item<double>();
        largest = std::max(largest, std::abs(got - plain[static_cast<size_t>(key)]));
      }
    }
  }
  return largest;
}

TEST(Attention, EqualsTheSoftmaxOfProductsTermByTerm) {
  EXPECT_LT(largest_difference(1 / std::sqrt(4.0)), 1e-12);
  EXPECT_GT(largest_difference(1), 1e-3);  // negative control: another scale
}

// A small model with random parameters, and images for it.
struct SmallModel {
  recipe::Recipe recipe;
  models::MaskedAutoencoder model;
  at::Tensor images_BHWC;

  SmallModel(const std::string& name, const std::vector<std::string>& set)
      : recipe(recipe::load_pretraining_recipe(
            name, {std::filesystem::path(FCM_SOURCE_DIR) / "recipes"}, set)),
        model(recipe::autoencoder_options(recipe), 3) {
    at::manual_seed(9);
    images_BHWC = at::randint(
        0, 256, {2, recipe.data.image_size[0], recipe.data.image_size[1], recipe.data.channels},
        at::kByte);
    const at::NoGradGuard no_grad;
    for (const nn::Parameter& one : model.parameters().all()) {
      at::Tensor value = one.value;
      value.add_(at::randn(value.sizes(), at::kFloat) * 0.05);  // biases too, which are 0 at first
    }
  }

  at::Tensor value(const std::string& name) const {
    for (const nn::Parameter& one : model.parameters().all()) {
      if (one.name == name) return one.value.detach();
    }
    throw std::logic_error(name);
  }
};

// The block's output [B, T, C] if its attention weights were `weights_BHTT`.
at::Tensor block_by_weights(const SmallModel& small, const at::Tensor& x_BTC,
                            const at::Tensor& weights_BHTT) {
  const std::string block = name_of_last_block(small.recipe) + ".";
  const int64_t width = x_BTC.size(2), heads = weights_BHTT.size(1);
  const double epsilon = small.recipe.encoder.norm_epsilon;
  const auto linear = [&](const at::Tensor& x, const std::string& name) {
    return at::linear(x, small.value(block + name + ".weight"),
                      small.value(block + name + ".bias"));
  };
  const auto norm = [&](const at::Tensor& x, const std::string& name) {
    return at::layer_norm(x, {width}, small.value(block + name + ".weight"),
                          small.value(block + name + ".bias"), epsilon);
  };
  const at::Tensor values = linear(norm(x_BTC, "norm1"), "attn.qkv")
                                .narrow(2, 2 * width, width)
                                .unflatten(2, {heads, width / heads})
                                .transpose(1, 2);
  const at::Tensor mixed =
      x_BTC + linear(at::matmul(weights_BHTT, values).transpose(1, 2).flatten(2), "attn.proj");
  return mixed + linear(at::gelu(linear(norm(mixed, "norm2"), "mlp.fc1")), "mlp.fc2");
}

void expect_weights_of_the_block(const SmallModel& small, int64_t class_tokens) {
  const at::NoGradGuard no_grad;
  const masks::ViewPlan plan = masks::full_plan(2, small.model.grid());
  const at::Tensor pixels =
      models::pixels_of(small.images_BHWC, plan, small.model.geometry(), small.recipe.data);
  std::map<std::string, at::Tensor> seen;
  small.model.encode(pixels, plan, at::kFloat,
                     [&](const std::string& name, const at::Tensor& x) { seen[name] = x; });
  const std::string last = name_of_last_block(small.recipe);
  const std::string stem = last.substr(0, last.rfind('.'));
  const int64_t depth = small.recipe.encoder.depths.back();
  const at::Tensor taken =
      seen.at(depth == 1 ? stem + "_in" : stem + "." + std::to_string(depth - 2));
  const at::Tensor weights = attention_weights(
      taken, {small.value(last + ".norm1.weight"), small.value(last + ".norm1.bias"),
              small.recipe.encoder.norm_epsilon, small.value(last + ".attn.qkv.weight"),
              small.value(last + ".attn.qkv.bias"), small.recipe.encoder.heads.last()});
  const auto difference = [&](const at::Tensor& with) {
    return (block_by_weights(small, taken, with) - seen.at(last)).abs().max().item<double>();
  };
  EXPECT_LT(difference(weights), 1e-4);
  EXPECT_GT(difference(weights.roll(1, 3)), 1e-3);  // negative control: shifted by one key

  const at::Tensor shown = last_attention(small.model, small.recipe, small.images_BHWC);
  EXPECT_EQ(shown.size(1), small.model.grid().patches() + class_tokens);
  EXPECT_TRUE(at::allclose(shown, weights.mean(1), 1e-5, 1e-7));
  EXPECT_TRUE(at::allclose(shown.sum(2), at::ones({2, shown.size(1)}), 1e-5, 1e-5));
}

const std::vector<std::string> kFloat32{"model.precision=fp32"};

TEST(Attention, OfAConvVitIsWhatTheBlockUses) {
  expect_weights_of_the_block(SmallModel("smoke_pretrain", kFloat32), 0);
}

TEST(Attention, OfAVitHasItsClassTokenFirst) {
  expect_weights_of_the_block(SmallModel("smoke_mae_pretrain", kFloat32), 1);
}

TEST(Attention, OfTheOnlyBlockTakesWhatGoesIntoTheStage) {
  std::vector<std::string> set = kFloat32;
  set.emplace_back("encoder.depths=[1,1,1]");
  expect_weights_of_the_block(SmallModel("smoke_pretrain", set), 0);
}

TEST(Attention, OfOtherEncodersIsRefused) {
  const auto refused = [](const std::string& name, const std::vector<std::string>& set) {
    const SmallModel small(name, set);
    try {
      last_attention(small.model, small.recipe, small.images_BHWC);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kUsage);
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_NE(refused("smoke_simmim", {}).find("a swin, which attends inside windows"),
            std::string::npos);
  EXPECT_NE(refused("smoke_pretrain", {"encoder.depths=[1,1,0]"}).find("encoder has none"),
            std::string::npos);
}

}  // namespace
}  // namespace fcm::eval
