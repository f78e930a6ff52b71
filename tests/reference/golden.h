// Golden tensors of the published programs, and how close is close enough.
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

// What the manifest says of a file.
inline nlohmann::json manifest_entry(const std::string& file) {
  return read_json("manifest.json").at("files").at(file);
}

// MAE's numbers stand alone where FastConvMAE's stand in lists.
inline ReferenceOptions vit_options_from_constructor(const nlohmann::json& constructor) {
  ReferenceOptions options;
  options.kind = Kind::kVit;
  options.rows = options.cols = constructor.at("img_size");
  options.strides = {constructor.at("patch_size")};
  options.dims = {constructor.at("embed_dim")};
  options.depths = {constructor.at("depth")};
  options.heads = constructor.at("num_heads");
  options.mlp_ratios = {constructor.at("mlp_ratio")};
  options.decoder_dim = constructor.at("decoder_embed_dim");
  options.decoder_depth = constructor.at("decoder_depth");
  options.decoder_heads = constructor.at("decoder_num_heads");
  options.decoder_mlp_ratio = options.mlp_ratios[0];
  return options;
}

inline ReferenceOptions options_from_constructor(const nlohmann::json& constructor) {
  if (constructor.at("embed_dim").is_number()) return vit_options_from_constructor(constructor);
  ReferenceOptions options;
  options.rows = options.cols = constructor.at("img_size")[0];
  options.strides = constructor.at("patch_size").get<std::vector<int64_t>>();
  options.dims = constructor.at("embed_dim").get<std::vector<int64_t>>();
  options.depths = constructor.at("depth").get<std::vector<int64_t>>();
  options.heads = constructor.at("num_heads");
  options.mlp_ratios = constructor.at("mlp_ratio").get<std::vector<double>>();
  options.decoder_dim = constructor.at("decoder_embed_dim");
  options.decoder_heads = constructor.at("decoder_num_heads");
  options.decoder_depth = 8;  // the published constructor overwrites whatever is passed
  options.decoder_mlp_ratio = options.mlp_ratios[0];
  return options;
}

inline bool is_position_table(const std::string& name) { return name.ends_with("pos_embed"); }

// The fixtures' rule: ten times the error of the published program's own float32 run.
struct Comparison {
  explicit Comparison(double relative_tolerance) : tolerance(relative_tolerance) {}

  double tolerance;  // relative to the largest value of the tensor
  double worst = 0;  // largest error over its tolerance; at most 1 passes
  std::string where;
  int64_t compared = 0;  // tensors

  void add(const std::string& name, const at::Tensor& ours, const at::Tensor& golden) {
    const double scale = golden.abs().max().item<double>();
    const double error = (ours.to(at::kDouble) - golden.to(at::kDouble)).abs().max().item<double>();
    const double ratio = error / (tolerance * scale);
    ++compared;
    if (!(ratio <= worst)) {  // a NaN is the worst of all
      worst = ratio;
      where = name;
    }
  }

  // Golden tensors stand whole under their name, or sampled as name.idx and name.val. Returns
  // whether there was one.
  bool add_stored(const std::string& name, const at::Tensor& ours,
                  const std::map<std::string, at::Tensor>& golden) {
    if (const auto whole = golden.find(name); whole != golden.end()) {
      add(name, ours.reshape(whole->second.sizes()), whole->second);
      return true;
    }
    const auto places = golden.find(name + ".idx");
    if (places == golden.end()) return false;
    add(name, ours.flatten().index_select(0, places->second), golden.at(name + ".val"));
    return true;
  }
};

// Weights that want gradients, except the frozen position tables.
inline Weights trainable(const Weights& weights) {
  Weights copies;
  for (const auto& [name, value] : weights) {
    copies[name] = value.clone();
    if (!is_position_table(name)) copies[name].requires_grad_(true);
  }
  return copies;
}

}  // namespace fcm::reference
