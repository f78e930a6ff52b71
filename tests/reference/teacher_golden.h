// Stored features of the published image towers, and ours beside them.
#pragma once

#include <gtest/gtest.h>

#include "reference/teachers.h"
#include "tests/reference/golden.h"

namespace fcm::reference {

struct TowerGolden {
  TowerOptions options;
  nlohmann::json about;
  Weights weights;
  at::Tensor images;
  std::map<std::string, at::Tensor> stored;
};

inline TowerOptions tower_options(const std::string& name) {
  TowerOptions options;
  options.tower = name.starts_with("clip") ? Tower::kClip : Tower::kDino;
  if (!name.ends_with("tiny")) return options;
  options.rows = options.cols = 64;
  options.dim = 48;
  options.depth = 6;
  options.heads = 3;
  options.projected_dim = 40;
  return options;
}

inline TowerGolden load_tower(const std::string& name) {
  const std::string file = name + ".golden.safetensors";
  TowerGolden golden{tower_options(name),
                     read_json("teachers/manifest.json").at("files").at(file),
                     {},
                     {},
                     test::read_safetensors(fixture("teachers/" + file))};
  const auto seed = golden.about.at("weight_seed").get<uint64_t>();
  for (const auto& [key, shape] : tower_names_and_shapes(golden.options)) {
    golden.weights[key] = test::procedural(key, seed, shape);
  }
  const int64_t batch = name.ends_with("tiny") ? 2 : 1;
  golden.images =
      test::procedural("images", seed, {batch, 3, golden.options.rows, golden.options.cols});
  return golden;
}

inline Comparison compare_tower(const TowerGolden& golden, const Weights& weights) {
  const TowerResult result = tower(weights, golden.options, golden.images);
  Comparison comparison(
      10 * golden.about.at("errors_fp32_vs_fp64").at("max_rel_to_tensor_max").get<double>());
  const auto add = [&](const char* name, const at::Tensor& ours) {
    EXPECT_TRUE(comparison.add_stored(name, ours, golden.stored)) << name;
  };
  add("class_output", result.class_output);
  if (golden.options.tower == Tower::kDino) {
    add("norm", result.normed_BLD);
    add("target_ln", normalised_tokens(result.normed_BLD));
    add("layer_minus_5",
        at::layer_norm(result.blocks.at(result.blocks.size() - 5), {golden.options.dim},
                       weights.at("norm.weight"), weights.at("norm.bias"), 1e-6));
  } else {
    add("last_block", result.blocks.back());
    add("ln_post", result.normed_BLD);
    add("projected", result.projected_BLP);
    add("target_ln", normalised_tokens(result.blocks.back()));
  }
  return comparison;
}

}  // namespace fcm::reference
