// Runs three upstream steps of fine-tuning, which test layer decay, schedule, AdamW and the model
// together.
#pragma once

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "fcm/encoder/registry.h"
#include "fcm/loss/classification.h"
#include "fcm/optim/adamw.h"
#include "fcm/optim/schedule.h"
#include "tests/reference/classifier_golden.h"

namespace fcm::optim {

// The function that gives the layer of a parameter of the classifier's encoder.
inline nn::LayerOf layer_of(const reference::ClassifierOptions& options) {
  encoder::EncoderOptions encoder;
  encoder.depths = options.depths;
  return encoder::layer_of(options.kind == reference::Kind::kVit ? "vit" : "conv_vit", encoder);
}

// The arguments of upstream's adjust_learning_rate (lr from 2e-3 to 1e-6, warm-up for 4 of 10
// epochs) and the beta2 of its AdamW.
inline OptimOptions published_options() {
  OptimOptions options;
  options.batch_size = 256;
  options.base_lr = 2e-3;
  options.min_lr = 1e-6;
  options.warmup_epochs = 4;
  options.epochs = 10;
  options.beta2 = 0.999;
  return options;
}

// The largest and the mean error over all elements, each relative to its bound, which is ten times
// the error of upstream's float32 run. The keys' thirds of qkv biases are excluded: their exact
// gradient is zero, so Adam's steps are rounding noise.
struct Errors {
  double largest = 0, mean = 0;
};

inline Errors errors_of(const nn::Parameters& parameters, const reference::Tensors& golden,
                        int step, const nlohmann::json& published) {
  std::vector<at::Tensor> all;
  for (const nn::Parameter& parameter : parameters.all()) {
    const std::string key = fmt::format("step{}.{}", step, parameter.name);
    const at::Tensor ours = parameters.published(parameter).flatten();
    const bool whole = golden.contains(key);
    const at::Tensor places = whole ? at::arange(ours.size(0)) : golden.at(key + ".idx");
    const at::Tensor wanted = golden.at(whole ? key : key + ".val").flatten();
    at::Tensor error = (ours.index_select(0, places) - wanted).abs();
    if (parameter.name.ends_with("attn.qkv.bias")) {
      const at::Tensor third = at::floor_divide(places, ours.size(0) / 3);
      error = error.masked_fill(third == 1, 0.0);
    }
    all.push_back(error);
  }
  const at::Tensor error = at::cat(all).to(at::kDouble);
  return {error.max().item<double>() / (10 * published.at("max_abs").get<double>()),
          error.mean().item<double>() / (10 * published.at("mean_abs").get<double>())};
}

struct Outcome {
  double worst_loss = 0, worst_rate = 0;  // largest relative errors
  Errors step1, step3;
};

// Trains `parameters`, whose initial values are the weights of `loaded`, by the upstream recipe.
// logits() computes the logits of the loaded images.
inline Outcome train_published_steps(nn::Parameters& parameters,
                                     const reference::ClassifierGolden& loaded,
                                     const std::string& file, double layer_decay,
                                     const std::function<at::Tensor()>& logits) {
  const reference::Tensors golden = test::read_safetensors(reference::fixture(file));
  const nlohmann::json published = reference::manifest_entry(file).at("errors_fp32_vs_fp64");
  const OptimOptions options = published_options();
  AdamW optimizer(parameters,
                  layer_decay_groups(parameters, layer_of(loaded.options), 0.05, layer_decay),
                  options);
  Outcome result;
  const at::Tensor rates = golden.at("group_lrs");
  for (int step = 1; step <= 3; ++step) {
    const double lr = lr_at_epoch(options, 2 + 0.5 * (step - 1));
    EXPECT_EQ(rates.size(1), static_cast<int64_t>(optimizer.groups().size()));
    for (size_t group = 0; group < optimizer.groups().size(); ++group) {
      const double wanted = rates[step - 1][static_cast<int64_t>(group)].item<double>();
      const double error = std::abs(optimizer.groups()[group].lr(lr) - wanted) / wanted;
      result.worst_rate = std::max(result.worst_rate, error);
    }
    optimizer.zero_gradients();
    const at::Tensor loss = loss::label_smoothing_cross_entropy(logits(), loaded.labels);
    loss.backward();
    const double wanted = golden.at("losses")[step - 1].item<double>();
    result.worst_loss = std::max(result.worst_loss, std::abs(loss.item<double>() / wanted - 1));
    optimizer.step(lr);
    if (step == 1) result.step1 = errors_of(parameters, golden, 1, published);
    if (step == 3) result.step3 = errors_of(parameters, golden, 3, published);
  }
  return result;
}

inline void expect_published(const Outcome& result) {
  EXPECT_LE(result.worst_rate, 1e-7);  // learning rates are stored in float32
  EXPECT_LE(result.worst_loss, 1e-6);
  EXPECT_LE(result.step1.largest, 1);
  EXPECT_LE(result.step1.mean, 1);
  EXPECT_LE(result.step3.largest, 1);
  EXPECT_LE(result.step3.mean, 1);
}

}  // namespace fcm::optim
