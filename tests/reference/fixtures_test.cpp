// Against tensors stored from the published FastConvMAE, ConvMAE and MAE.
#include <ATen/ATen.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/reference/golden.h"

namespace fcm::reference {
namespace {

using Tensors = std::map<std::string, at::Tensor>;

struct Case {
  std::string name;
  std::vector<std::string> files;  // golden tensors; the first one's manifest entry describes it
  int64_t kept_views;
  std::string state;                             // file of the weights, where there is one
  std::string spoilt = "blocks1.0.attn.weight";  // the weight that the control alters
};

std::ostream& operator<<(std::ostream& out, const Case& test) { return out << test.name; }

const std::vector<Case>& cases() {
  static const std::vector<Case> all{
      {"fastconvmae_tiny",
       {"fastconvmae_tiny.forward.safetensors", "fastconvmae_tiny.pred.safetensors",
        "fastconvmae_tiny.grads.safetensors"},
       4,
       "fastconvmae_tiny.state.safetensors"},
      {"convmae_tiny",
       {"convmae_tiny.golden.safetensors"},
       1,
       "fastconvmae_tiny.state.safetensors"},
      {"fastconvmae_tiny_mlpvar", {"fastconvmae_tiny_mlpvar.golden.safetensors"}, 4, ""},
      {"fastconvmae_tiny_photo",
       {"fastconvmae_tiny_photo.golden.safetensors"},
       4,
       "fastconvmae_tiny.state.safetensors"},
      {"mae_tiny",
       {"mae_tiny.forward.safetensors", "mae_tiny.pred.safetensors", "mae_tiny.grads.safetensors"},
       1,
       "mae_tiny.state.safetensors",
       "blocks.0.attn.proj.weight"}};
  return all;
}

// A case with everything that is needed to run it.
struct Loaded {
  ReferenceOptions options;
  Weights weights;
  at::Tensor images, noise;
  Tensors golden;
  std::vector<std::string> trainable_names;      // in the order of the stored summaries
  double forward_error = 0, gradient_error = 0;  // the published float32 run's own
};

// From the published tables, or, where a size is not among them, from the file of the weights.
at::Tensor position_table(const std::string& name, const std::vector<int64_t>& shape,
                          const Case& chosen, const ReferenceOptions& options) {
  const Tensors tables = test::read_safetensors(fixture("sincos.safetensors"));
  const std::string key = fmt::format("sincos.d{}.g{}{}", shape[2], options.grid_rows(),
                                      options.kind == Kind::kVit ? ".cls" : "");
  if (const auto found = tables.find(key); found != tables.end()) {
    return found->second.unsqueeze(0);
  }
  return test::read_safetensors(fixture(chosen.state)).at(name);
}

Loaded load(const Case& chosen) {
  Loaded loaded;
  const nlohmann::json entry = manifest_entry(chosen.files.front());
  loaded.options = options_from_constructor(entry.at("constructor"));
  const uint64_t seed = entry.at("weight_seed");
  for (const auto& [name, shape] : expected_names_and_shapes(loaded.options)) {
    if (is_position_table(name)) {
      loaded.weights[name] = position_table(name, shape, chosen, loaded.options);
    } else {
      loaded.weights[name] = test::procedural(name, seed, shape);
      loaded.trainable_names.push_back(name);
    }
  }
  for (const std::string& file : chosen.files)
    loaded.golden.merge(test::read_safetensors(fixture(file)));
  loaded.images =
      loaded.golden.contains("images")
          ? loaded.golden.at("images")
          : test::procedural("images", seed, {2, 3, loaded.options.rows, loaded.options.cols});
  loaded.noise = test::procedural("noise", seed, {2, loaded.options.patches()});
  loaded.forward_error = entry.at("errors_fp32_vs_fp64").at("max_rel_to_tensor_max");
  const nlohmann::json last = manifest_entry(chosen.files.back());
  loaded.gradient_error = last.contains("errors_fp32_vs_fp64_grads")
                              ? last["errors_fp32_vs_fp64_grads"].at("max_rel_to_tensor_max")
                              : last.at("errors_fp32_vs_fp64").at("max_rel_to_tensor_max");
  return loaded;
}

ReferenceResult run(const Loaded& loaded, const Weights& weights, int64_t kept_views,
                    const nn::Observer& observer = {}) {
  const std::vector<int64_t> view_sizes(4, loaded.options.patches() / 4);
  return forward(weights, loaded.options, loaded.images, loaded.noise, view_sizes, kept_views,
                 observer);
}

class Fixtures : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (!have_fixtures()) GTEST_SKIP() << "no golden tensors at " << fixture("");
  }
};

TEST_P(Fixtures, ProceduralWeightsAreTheStoredOnes) {
  const Loaded loaded = load(GetParam());
  ASSERT_TRUE(loaded.golden.at("noise").equal(loaded.noise));
  if (GetParam().state.empty()) return;
  const Tensors state = test::read_safetensors(fixture(GetParam().state));
  EXPECT_EQ(state.size(), loaded.weights.size());
  for (const auto& [name, value] : state) {
    EXPECT_TRUE(loaded.weights.at(name).equal(value)) << name;
  }
}

TEST_P(Fixtures, LatentAndPredictions) {
  const Loaded loaded = load(GetParam());
  const ReferenceResult result = run(loaded, loaded.weights, GetParam().kept_views);
  EXPECT_TRUE(at::cat(result.masks).equal(loaded.golden.at("mask")));

  Comparison comparison(10 * loaded.forward_error);
  EXPECT_TRUE(comparison.add_stored("latent", at::cat(result.latents), loaded.golden));
  EXPECT_TRUE(comparison.add_stored("pred", at::cat(result.predictions), loaded.golden));
  if (loaded.golden.contains("pred.image0")) {
    const at::Tensor predictions_GBLD = at::stack(result.predictions);
    comparison.add("pred.image0", predictions_GBLD.select(1, 0), loaded.golden.at("pred.image0"));
  }
  EXPECT_LE(comparison.worst, 1) << comparison.where;
}

// What an observer is shown under the published modules' names is what their hooks stored.
TEST_P(Fixtures, ActivationsOnTheWay) {
  const Loaded loaded = load(GetParam());
  Comparison comparison(10 * loaded.forward_error);
  run(loaded, loaded.weights, GetParam().kept_views,
      [&](const std::string& name, const at::Tensor& value) {
        comparison.add_stored("act." + name, value, loaded.golden);
      });
  int64_t stored = 0;
  for (const auto& [name, value] : loaded.golden) {
    if (name.starts_with("act.") && !name.ends_with(".val")) ++stored;
  }
  EXPECT_EQ(comparison.compared, stored);
  EXPECT_LE(comparison.worst, 1) << comparison.where;
}

// The k third of a qkv bias has no gradient but rounding noise: it is compared to zero instead.
at::Tensor without_key_third(const std::string& name, const at::Tensor& gradient) {
  if (!name.ends_with("attn.qkv.bias")) return gradient;
  at::Tensor copy = gradient.clone();
  copy.narrow(0, copy.size(0) / 3, copy.size(0) / 3).zero_();
  return copy;
}

void compare_loss_and_gradients(const Loaded& loaded, const std::string& kind, int64_t kept_views) {
  const Weights weights = trainable(loaded.weights);
  Loaded chosen = loaded;
  chosen.options.norm_pix = kind == "norm_pix";
  const at::Tensor loss = run(chosen, weights, kept_views).loss;
  const double golden_loss = loaded.golden.at("loss." + kind).item<double>();
  EXPECT_NEAR(loss.item<double>(), golden_loss, 1e-6 * golden_loss);
  loss.backward();
  Comparison comparison(10 * loaded.gradient_error);
  const std::string summary = "summary." + kind + ".";
  for (size_t row = 0; row < loaded.trainable_names.size(); ++row) {
    const std::string& name = loaded.trainable_names[row];
    const at::Tensor raw = weights.at(name).grad();
    ASSERT_TRUE(raw.defined()) << name;
    const at::Tensor gradient = without_key_third(name, raw);
    EXPECT_LE((raw - gradient).abs().max().item<double>(), 1e-8) << name;
    const std::string key = "grad." + kind + "." + name;
    Tensors cleaned;
    for (const char* suffix : {"", ".idx", ".val"}) {
      if (const auto found = loaded.golden.find(key + suffix); found != loaded.golden.end()) {
        cleaned[key + suffix] =
            *suffix == 0 ? without_key_third(name, found->second) : found->second;
      }
    }
    const bool stored = comparison.add_stored(key, gradient, cleaned);
    if (!loaded.golden.contains(summary + "grad_l2")) {
      ASSERT_TRUE(stored) << key;
      continue;
    }
    const auto at_row = [&](const char* what) {
      return loaded.golden.at(summary + what)[static_cast<int64_t>(row)];
    };
    const double norm = at_row("grad_l2").item<double>();
    EXPECT_NEAR(gradient.to(at::kDouble).norm().item<double>(), norm, comparison.tolerance * norm)
        << name;
    const double largest = at_row("grad_absmax").item<double>();
    const at::Tensor sample = gradient.flatten().index_select(0, at_row("grad_idx"));
    EXPECT_LE((sample - at_row("grad_val")).abs().max().item<double>(),
              comparison.tolerance * largest)
        << name;
    ++comparison.compared;
  }
  EXPECT_LE(comparison.worst, 1) << comparison.where;
  EXPECT_GE(comparison.compared, static_cast<int64_t>(loaded.trainable_names.size()));
}

TEST_P(Fixtures, NormalisedLossAndEveryGradient) {
  compare_loss_and_gradients(load(GetParam()), "norm_pix", GetParam().kept_views);
}

TEST_P(Fixtures, PlainLossAndEveryGradient) {
  compare_loss_and_gradients(load(GetParam()), "plain", GetParam().kept_views);
}

// The comparison itself: a weight that is off by a thousandth of itself is seen.
TEST_P(Fixtures, ASmallMistakeIsNoticed) {
  const Loaded loaded = load(GetParam());
  Weights wrong = loaded.weights;
  wrong.at(GetParam().spoilt) = wrong.at(GetParam().spoilt) * 1.001;
  const ReferenceResult result = run(loaded, wrong, GetParam().kept_views);
  Comparison comparison(10 * loaded.forward_error);
  comparison.add_stored("latent", at::cat(result.latents), loaded.golden);
  EXPECT_GT(comparison.worst, 1);
}

INSTANTIATE_TEST_SUITE_P(Published, Fixtures, testing::ValuesIn(cases()),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace fcm::reference
