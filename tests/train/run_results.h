// Weights and losses in run folders, and the largest difference between the weights of two runs.
#pragma once

#include <ATen/ATen.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "fcm/checkpoint/checkpoint.h"
#include "fcm/train/run_log.h"
#include "fcm/train/state.h"

namespace fcm::train {

using RunWeights = std::map<std::string, at::Tensor>;

// Tensors of the newest checkpoint in float64, including those of a moving average.
inline RunWeights weights_of(const std::filesystem::path& run) {
  SilentReporter silence;
  const auto found = checkpoint::load_newest(run / "checkpoints", true, silence);
  RunWeights weights;
  for (const formats::TensorView& view : found->model.tensors) {
    weights[view.name] = to_tensor(view).to(at::kDouble);
  }
  for (const formats::TensorView& view : found->optimizer.tensors) {
    if (view.name.starts_with("ema.")) weights[view.name] = to_tensor(view).to(at::kDouble);
  }
  return weights;
}

inline double largest_difference(const RunWeights& a, const RunWeights& b) {
  double largest = 0;
  for (const auto& [name, value] : a) {
    largest = std::max(largest, (value - b.at(name)).abs().max().item<double>());
  }
  return largest;
}

inline std::vector<double> losses_of(const std::filesystem::path& run) {
  std::vector<double> losses;
  for (const nlohmann::json& line : read_log(run / "log.jsonl")) {
    if (line.contains("loss")) losses.push_back(line.at("loss").get<double>());
  }
  return losses;
}

}  // namespace fcm::train
