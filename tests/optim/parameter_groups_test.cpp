// Compares parameter groups with those of the upstream programs.
#include "fcm/optim/parameter_groups.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "fcm/optim/adamw.h"
#include "tests/optim/finetune_steps.h"
#include "tests/reference/classifier_golden.h"

namespace fcm::optim {
namespace {

using reference::fixture;
using reference::have_fixtures;

// Parameters with these names and numbers of dimensions, on which groups depend. All sizes are 1,
// which saves the memory of a base model.
nn::Parameters named_like(const reference::NamesAndShapes& names, bool frozen_positions) {
  nn::Parameters parameters(0, at::kFloat);
  for (const auto& [name, shape] : names) {
    const std::vector<int64_t> ones(shape.size(), 1);
    if (frozen_positions && reference::is_position_table(name)) {
      parameters.add_table(name, at::zeros(ones), /*trainable=*/false);
    } else {
      parameters.add(name, ones, nn::Init::kZeros);
    }
  }
  parameters.flatten();
  return parameters;
}

void expect_groups(const nn::Parameters& parameters, const std::vector<ParameterGroup>& groups,
                   const nlohmann::json& published) {
  ASSERT_EQ(groups.size(), published.size());
  for (size_t group = 0; group < groups.size(); ++group) {
    std::vector<std::string> names;
    for (const size_t index : groups[group].parameters) {
      names.push_back(parameters.all()[index].name);
    }
    EXPECT_EQ(names, published[group].at("params").get<std::vector<std::string>>()) << group;
    EXPECT_EQ(groups[group].weight_decay, published[group].at("weight_decay").get<double>());
    EXPECT_EQ(groups[group].lr_scale, published[group].value("lr_scale", 1.0)) << group;
  }
}

TEST(PretrainingGroups, ArePublishedOnesInTheirOrder) {
  if (!have_fixtures()) GTEST_SKIP() << "no golden files at " << fixture("");
  for (const char* file : {"convmae_base_params.json", "mae_vitb_params.json"}) {
    const nlohmann::json published = reference::read_json(file);
    const nn::Parameters parameters =
        named_like(published.at("state_dict").get<reference::NamesAndShapes>(), true);
    expect_groups(parameters, pretraining_groups(parameters, {}), published.at("groups"));
  }
}

reference::ClassifierOptions vit_base() {
  reference::ClassifierOptions options;
  options.kind = reference::Kind::kVit;
  options.strides = {16};
  options.dims = {768};
  options.depths = {12};
  options.mlp_ratios = {4};
  return options;
}

TEST(LayerDecayGroups, ArePublishedOnesInTheirOrder) {
  if (!have_fixtures()) GTEST_SKIP() << "no golden files at " << fixture("");
  struct Case {
    const char* file;
    reference::ClassifierOptions options;
    double layer_decay;
  };
  for (const Case& test : {Case{"convvit_base_layer_decay_0.65.json", {}, 0.65},
                           Case{"convvit_base_layer_decay_0.75.json", {}, 0.75},
                           Case{"vit_base_layer_decay_0.65.json", vit_base(), 0.65}}) {
    const nn::Parameters parameters =
        named_like(reference::classifier_names_and_shapes(test.options), false);
    expect_groups(parameters,
                  layer_decay_groups(parameters, layer_of(test.options), 0.05, test.layer_decay),
                  reference::read_json(test.file).at("groups"));
  }
}

TEST(LayerDecayGroups, AreNamedByLayerAndDecay) {
  const nn::Parameters parameters = named_like(reference::classifier_names_and_shapes({}), false);
  const std::vector<ParameterGroup> groups =
      layer_decay_groups(parameters, layer_of({}), 0.05, 0.65);
  ASSERT_EQ(groups.size(), 26u);
  EXPECT_EQ(groups[0].name, "layer_0_no_decay");
  EXPECT_EQ(groups[1].name, "layer_0_decay");
  EXPECT_EQ(groups[3].name, "layer_1_decay");
  EXPECT_EQ(groups[24].name, "layer_12_decay");  // follows the head: head.weight precedes head.bias
  EXPECT_EQ(groups[25].name, "layer_12_no_decay");
  EXPECT_DOUBLE_EQ(groups[3].lr(2.0), 2 * groups[3].lr_scale);
}

TEST(LayerDecayGroups, LeaveFrozenParametersOut) {
  const nn::Parameters parameters = named_like(reference::classifier_names_and_shapes({}), true);
  const std::vector<ParameterGroup> groups =
      layer_decay_groups(parameters, layer_of({}), 0.05, 0.65);
  for (const ParameterGroup& group : groups) {
    for (const size_t index : group.parameters) {
      EXPECT_NE(parameters.all()[index].name, "pos_embed");
    }
  }
  EXPECT_EQ(groups[0].name, "layer_0_decay");
}

// Parameters of one layer share a group. Parameters with one dimension have no weight decay.
TEST(LayerDecayGroups, AskTheGivenFunctionForLayers) {
  const nn::Parameters parameters =
      named_like({{"a", {1, 1}}, {"b", {1, 1}}, {"c", {1, 1}}, {"d", {1}}}, false);
  const auto layer_of = [](std::string_view name) {
    return nn::Layer{.index = name == "b" ? 1 : 3, .last = 4, .exempt = name == "c"};
  };
  const std::vector<ParameterGroup> groups = layer_decay_groups(parameters, layer_of, 0.05, 0.5);
  ASSERT_EQ(groups.size(), 3u);
  EXPECT_EQ(groups[0].parameters, std::vector<size_t>{0});
  EXPECT_EQ(groups[0].lr_scale, 0.5);
  EXPECT_EQ(groups[1].parameters, std::vector<size_t>{1});
  EXPECT_EQ(groups[1].lr_scale, 0.125);
  EXPECT_EQ(groups[1].weight_decay, 0.05);
  EXPECT_EQ(groups[2].parameters, (std::vector<size_t>{2, 3}));
  EXPECT_EQ(groups[2].weight_decay, 0);
}

// Compares the optimizer settings of every tensor of the upstream detector.
TEST(DetectionGroups, ArePublishedOnes) {
  const std::string path = FCM_SOURCE_DIR "/../shared/goldens/detection/convmae_det_base.json";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no golden file at " << path;
  std::ifstream file(path);
  const nlohmann::json published = nlohmann::json::parse(file);
  nn::Parameters parameters(0, at::kFloat);
  std::map<std::string, double> wanted;
  for (const auto& row : published.at("state_dict")) {
    const std::string name = row.at(0), role = row.at(3);
    const std::vector<int64_t> ones(row.at(1).size(), 1);
    const bool trained = role.starts_with("wd ");
    parameters.add_table(name, at::zeros(ones), trained);
    if (trained) wanted[name] = std::stod(role.substr(3));
  }
  ASSERT_EQ(wanted.size(), 270u);
  const auto groups = detection_groups(parameters, {}, 0.1, 1);
  ASSERT_EQ(groups.size(), 2u);
  std::map<std::string, double> found;
  for (const ParameterGroup& group : groups) {
    EXPECT_EQ(group.lr_scale, 1);
    for (const size_t index : group.parameters) {
      found[parameters.all()[index].name] = group.weight_decay;
    }
  }
  EXPECT_EQ(found, wanted);
}

TEST(DetectionGroups, GoByLayerWhereRatesDo) {
  const nn::Parameters parameters = named_like(
      {{"a.weight", {1, 1}}, {"a.bias", {1}}, {"norm.weight", {1}}, {"norm.bias", {1}}}, false);
  const auto layer_of = [](std::string_view name) {
    return nn::Layer{.index = name.starts_with("a") ? 1 : 3, .last = 3};
  };
  const auto groups = detection_groups(parameters, layer_of, 0.1, 0.5);
  ASSERT_EQ(groups.size(), 4u);
  EXPECT_EQ(groups[0].name, "layer_1_decay");
  EXPECT_EQ(groups[0].lr_scale, 0.25);
  EXPECT_EQ(groups[0].parameters, (std::vector<size_t>{0, 1}));
  EXPECT_EQ(groups[3].name, "layer_3_no_decay");
  EXPECT_EQ(groups[3].lr_scale, 1);
  EXPECT_EQ(groups[3].weight_decay, 0);
  EXPECT_EQ(groups[3].parameters, (std::vector<size_t>{2, 3}));
}

TEST(AdamWGroups, HoldEveryTrainedParameterOnce) {
  nn::Parameters parameters = named_like({{"a.weight", {1, 1}}, {"a.bias", {1}}}, false);
  EXPECT_THROW(AdamW(parameters, {{"one", 1, 0, {0}}}, {}), std::logic_error);
  EXPECT_THROW(AdamW(parameters, {{"one", 1, 0, {0, 1}}, {"two", 1, 0, {1}}}, {}),
               std::logic_error);
  EXPECT_THROW(AdamW(parameters, {{"one", 1, 0, {0, 1, 2}}}, {}), std::logic_error);
  EXPECT_NO_THROW(AdamW(parameters, {{"one", 1, 0, {1}}, {"two", 1, 0, {0}}}, {}));
}

}  // namespace
}  // namespace fcm::optim
