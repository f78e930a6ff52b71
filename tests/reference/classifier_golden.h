// Options, weights and inputs of the upstream classifiers whose tensors are stored.
#pragma once

#include <ATen/ATen.h>

#include <map>
#include <string>
#include <vector>

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

// Procedural values; positions have their initial sines and cosines.
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

struct ClassifierGolden {
  ClassifierOptions options;
  Weights weights;
  at::Tensor images, labels;
  std::vector<std::string> names;  // in upstream order
};

inline ClassifierGolden load_classifier(const std::string& file) {
  const nlohmann::json entry = manifest_entry(file);
  ClassifierGolden loaded;
  loaded.options = classifier_options(entry.at("constructor"));
  const uint64_t seed = entry.at("weight_seed");
  loaded.weights = classifier_weights(loaded.options, seed);
  loaded.labels = test::read_safetensors(fixture(file)).at("labels");
  loaded.images = test::procedural(
      "images", seed, {loaded.labels.size(0), 3, loaded.options.rows, loaded.options.cols});
  loaded.names = entry.at("parameters").get<std::vector<std::string>>();
  return loaded;
}

}  // namespace fcm::reference
