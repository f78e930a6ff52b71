#include "fcm/optim/parameter_groups.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>

#include "fcm/base/error.h"

namespace fcm::optim {
namespace {

// Index of the transformer block a parameter belongs to.
std::optional<int> transformer_block(std::string_view name) {
  for (const std::string_view stage : {"blocks.", "blocks3."}) {
    if (!name.starts_with(stage)) continue;
    int block = 0;
    const std::string_view rest = name.substr(stage.size());
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), block);
    require(error == std::errc() && end != rest.data() + rest.size() && *end == '.',
            "a block without a number: {}", name);
    return block;
  }
  return std::nullopt;
}

}  // namespace

std::vector<ParameterGroup> pretraining_groups(const nn::Parameters& parameters,
                                               double weight_decay) {
  std::vector<ParameterGroup> groups{{"no_decay", 1, 0, {}}, {"decay", 1, weight_decay, {}}};
  for (size_t i = 0; i < parameters.all().size(); ++i) {
    const nn::Parameter& parameter = parameters.all()[i];
    if (parameter.trainable) groups[parameter.decays() ? 1 : 0].parameters.push_back(i);
  }
  return groups;
}

int layer_count(const nn::Parameters& parameters) {
  int blocks = 0;
  for (const nn::Parameter& parameter : parameters.all()) {
    if (const auto block = transformer_block(parameter.name)) blocks = std::max(blocks, *block + 1);
  }
  return blocks + 1;
}

int layer_id(const std::string& name, int layers) {
  if (const auto block = transformer_block(name)) return *block + 1;
  for (const char* first : {"pos_embed", "cls_token", "patch_embed", "blocks1.", "blocks2."}) {
    if (name.starts_with(first)) return 0;
  }
  return layers;
}

std::vector<ParameterGroup> layer_decay_groups(const nn::Parameters& parameters,
                                               double weight_decay, double layer_decay) {
  const int layers = layer_count(parameters);
  std::vector<ParameterGroup> groups;
  for (size_t i = 0; i < parameters.all().size(); ++i) {
    const nn::Parameter& parameter = parameters.all()[i];
    if (!parameter.trainable) continue;
    const bool decays =
        parameter.decays() && parameter.name != "pos_embed" && parameter.name != "cls_token";
    const int layer = layer_id(parameter.name, layers);
    const std::string name = fmt::format("layer_{}_{}", layer, decays ? "decay" : "no_decay");
    auto group = std::find_if(groups.begin(), groups.end(),
                              [&](const ParameterGroup& known) { return known.name == name; });
    if (group == groups.end()) {
      const double scale = std::pow(layer_decay, layers - layer);
      group = groups.insert(groups.end(), {name, scale, decays ? weight_decay : 0.0, {}});
    }
    group->parameters.push_back(i);
  }
  return groups;
}

}  // namespace fcm::optim
