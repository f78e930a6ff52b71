// Golden tensors of the published classifiers, for whatever computes the same.
#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "fcm/loss/classification.h"
#include "fcm/nn/layers.h"
#include "reference/classifier.h"
#include "tests/reference/golden.h"

namespace fcm::reference {

using Tensors = std::map<std::string, at::Tensor>;

inline ClassifierOptions classifier_options(const nlohmann::json& constructor) {
  ClassifierOptions options;
  options.mean_pool = constructor.value("global_pool", true);
  options.classes = constructor.at("num_classes");
  if (!constructor.contains("embed_dim")) return options;  // convvit_base_patch16
  options.heads = constructor.at("num_heads");
  if (constructor.at("embed_dim").is_number()) {  // the plain ViT
    options.kind = Kind::kVit;
    options.rows = options.cols = constructor.at("img_size");
    options.strides = {constructor.at("patch_size")};
    options.dims = {constructor.at("embed_dim")};
    options.depths = {constructor.at("depth")};
    options.mlp_ratios = {constructor.at("mlp_ratio")};
    return options;
  }
  options.rows = options.cols = constructor.at("img_size")[0];
  options.strides = constructor.at("patch_size").get<std::vector<int64_t>>();
  options.dims = constructor.at("embed_dim").get<std::vector<int64_t>>();
  options.depths = constructor.at("depth").get<std::vector<int64_t>>();
  options.mlp_ratios = constructor.at("mlp_ratio").get<std::vector<double>>();
  return options;
}

// Procedural, but for positions, which start as sines and cosines.
inline Weights classifier_weights(const ClassifierOptions& options, uint64_t seed) {
  Weights weights;
  const int64_t side = options.patch_side();
  for (const auto& [name, shape] : classifier_names_and_shapes(options)) {
    weights[name] = is_position_table(name)
                        ? nn::sincos_positions(options.rows / side, options.cols / side, shape[2],
                                               options.kind == Kind::kVit ? 1 : 0)
                        : test::procedural(name, seed, shape);
  }
  return weights;
}

// All of a classifier's parameters are trained.
inline Weights leaves(const Weights& weights) {
  Weights copies;
  for (const auto& [name, value] : weights) copies[name] = value.clone().requires_grad_(true);
  return copies;
}

struct ClassifierGolden {
  ClassifierOptions options;
  Weights weights;
  at::Tensor images, labels, targets;
  Tensors golden;
  std::vector<std::string> names;                // in the order of the stored summaries
  double forward_error = 0, gradient_error = 0;  // the published float32 run's own
};

inline ClassifierGolden load_classifier(const std::string& file) {
  const nlohmann::json entry = manifest_entry(file);
  ClassifierGolden loaded;
  loaded.options = classifier_options(entry.at("constructor"));
  const uint64_t seed = entry.at("weight_seed");
  loaded.weights = classifier_weights(loaded.options, seed);
  loaded.golden = test::read_safetensors(fixture(file));
  loaded.labels = loaded.golden.at("labels");
  loaded.targets = loaded.golden.at("targets");
  loaded.images = test::procedural(
      "images", seed, {loaded.labels.size(0), 3, loaded.options.rows, loaded.options.cols});
  loaded.names = entry.at("parameters").get<std::vector<std::string>>();
  loaded.forward_error = entry.at("errors_fp32_vs_fp64").at("max_rel_to_tensor_max");
  loaded.gradient_error = entry.at("errors_fp32_vs_fp64_grads").at("max_rel_to_tensor_max");
  return loaded;
}

// The k third of a qkv bias has no gradient but rounding noise: it is compared to zero instead.
inline at::Tensor without_keys(const std::string& name, const at::Tensor& gradient) {
  if (!name.ends_with("attn.qkv.bias")) return gradient;
  at::Tensor copy = gradient.clone();
  copy.narrow(0, copy.size(0) / 3, copy.size(0) / 3).zero_();
  return copy;
}

// Against gradients stored whole or sampled under `whole` ("grad.ls."), and against summaries under
// `summary` ("summary.soft."), where there are any. Gradients in published names and shapes.
inline void expect_gradients(const ClassifierGolden& loaded, const Tensors& gradients,
                             const std::string& whole, const std::string& summary) {
  Comparison comparison(10 * loaded.gradient_error);
  for (size_t row = 0; row < loaded.names.size(); ++row) {
    const std::string& name = loaded.names[row];
    const at::Tensor gradient = without_keys(name, gradients.at(name));
    EXPECT_LE((gradients.at(name) - gradient).abs().max().item<double>(),
              comparison.tolerance * gradient.abs().max().item<double>())
        << name;
    Tensors cleaned = loaded.golden;
    if (const auto found = cleaned.find(whole + name); found != cleaned.end()) {
      found->second = without_keys(name, found->second);
    }
    bool compared = comparison.add_stored(whole + name, gradient, cleaned);
    if (loaded.golden.contains(summary + "grad_l2")) {
      const auto stored = [&](const char* what) {
        return loaded.golden.at(summary + what)[static_cast<int64_t>(row)];
      };
      const double norm = stored("grad_l2").item<double>();
      const double largest = stored("grad_absmax").item<double>();
      const at::Tensor exact = gradient.to(at::kDouble);
      EXPECT_NEAR(exact.norm().item<double>(), norm, comparison.tolerance * norm) << name;
      EXPECT_NEAR(exact.abs().max().item<double>(), largest, comparison.tolerance * largest)
          << name;
      EXPECT_NEAR(exact.sum().item<double>(), stored("grad_sum").item<double>(),
                  1e-5 * norm * std::sqrt(static_cast<double>(gradient.numel())))
          << name;
      const at::Tensor sample = gradient.flatten().index_select(0, stored("grad_idx"));
      EXPECT_LE((sample - stored("grad_val")).abs().max().item<double>(),
                comparison.tolerance * largest)
          << name;
      compared = true;
    }
    EXPECT_TRUE(compared) << name;
  }
  EXPECT_LE(comparison.worst, 1) << comparison.where;
}

// Activations stored whole or sampled, as the published modules return them.
class Activations {
 public:
  explicit Activations(const ClassifierGolden& loaded)
      : loaded_(loaded), comparison_(10 * loaded.forward_error) {}

  void operator()(const std::string& name, const at::Tensor& value) {
    comparison_.add_stored("act." + name, value, loaded_.golden);
    const auto places = loaded_.golden.find("actidx." + name);
    if (places == loaded_.golden.end()) return;
    const at::Tensor got = value.flatten().index_select(0, places->second);
    EXPECT_LE((got - loaded_.golden.at("actval." + name)).abs().max().item<double>(),
              comparison_.tolerance * value.abs().max().item<double>())
        << name;
    ++comparison_.compared;
  }

  void expect_all_within_tolerance() const {
    int64_t stored = 0;
    for (const auto& [name, value] : loaded_.golden) {
      stored +=
          (name.starts_with("act.") && !name.ends_with(".val")) || name.starts_with("actidx.");
    }
    EXPECT_EQ(comparison_.compared, stored);
    EXPECT_GT(stored, 0);
    EXPECT_LE(comparison_.worst, 1) << comparison_.where;
  }

 private:
  const ClassifierGolden& loaded_;
  Comparison comparison_;
};

inline void expect_logits(const ClassifierGolden& loaded, const at::Tensor& logits_BC) {
  Comparison comparison(10 * loaded.forward_error);
  comparison.add("logits", logits_BC, loaded.golden.at("logits"));
  EXPECT_LE(comparison.worst, 1) << comparison.where;
}

inline void expect_loss(const ClassifierGolden& loaded, const std::string& name,
                        const at::Tensor& loss) {
  const double golden = loaded.golden.at(name).item<double>();
  EXPECT_NEAR(loss.item<double>(), golden, 1e-6 * golden) << name;
}

inline void expect_losses(const ClassifierGolden& loaded, const at::Tensor& logits_BC) {
  expect_loss(loaded, "loss_ls", loss::label_smoothing_cross_entropy(logits_BC, loaded.labels));
  expect_loss(loaded, "loss_ce", loss::cross_entropy(logits_BC, loaded.labels));
  expect_loss(loaded, "loss_soft", loss::soft_target_cross_entropy(logits_BC, loaded.targets));
}

inline Tensors gradients_of(const Weights& weights) {
  Tensors gradients;
  for (const auto& [name, value] : weights) gradients[name] = value.grad();
  return gradients;
}

}  // namespace fcm::reference
