// Reads golden tensors of the upstream programs, and compares with permitted differences.
#pragma once

#include <ATen/ATen.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "reference/reference.h"
#include "tests/support/procedural.h"
#include "tests/support/safetensors.h"

namespace fcm::reference {

inline std::string fixture(const std::string& name) {
  return std::string(FCM_SOURCE_DIR "/../shared/fixtures/") + name;
}

inline bool have_fixtures() { return std::filesystem::exists(fixture("manifest.json")); }

inline nlohmann::json read_json(const std::string& name) {
  std::ifstream file(fixture(name));
  return nlohmann::json::parse(file);
}

// The manifest's entry for a file.
inline nlohmann::json manifest_entry(const std::string& file) {
  return read_json("manifest.json").at("files").at(file);
}

inline bool is_position_table(const std::string& name) { return name.ends_with("pos_embed"); }

// Keeps the largest error of a comparison. The fixtures' README permits ten times the error of
// upstream's own float32 run.
struct Comparison {
  explicit Comparison(double relative_tolerance) : tolerance(relative_tolerance) {}

  double tolerance;  // relative to the largest value of the tensor
  double worst = 0;  // largest ratio of error to tolerance; at most 1 passes
  std::string where;

  void add(const std::string& name, const at::Tensor& ours, const at::Tensor& golden) {
    const double scale = golden.abs().max().item<double>();
    const double error = (ours.to(at::kDouble) - golden.to(at::kDouble)).abs().max().item<double>();
    const double ratio = error / (tolerance * scale);
    if (!(ratio <= worst)) {  // NaN counts as the largest
      worst = ratio;
      where = name;
    }
  }
};

// Copies of the weights that require gradients, except for the frozen position tables.
inline Weights trainable(const Weights& weights) {
  Weights copies;
  for (const auto& [name, value] : weights) {
    copies[name] = value.clone();
    if (!is_position_table(name)) copies[name].requires_grad_(true);
  }
  return copies;
}

}  // namespace fcm::reference
