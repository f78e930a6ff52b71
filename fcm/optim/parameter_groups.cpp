#include "fcm/optim/parameter_groups.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string_view>

#include "fcm/base/relative_table.h"
#include "fcm/base/weight_decay.h"

namespace fcm::optim {

std::vector<ParameterGroup> pretraining_groups(const nn::Parameters& parameters,
                                               const OptimOptions& options) {
  std::vector<ParameterGroup> groups{{"no_decay", 1, 0, {}},
                                     {"decay", 1, options.weight_decay, {}}};
  for (size_t i = 0; i < parameters.all().size(); ++i) {
    const nn::Parameter& parameter = parameters.all()[i];
    if (!parameter.trainable) continue;
    const bool decay =
        has_weight_decay(parameter.name, parameter.published_shape.size(), options.no_decay);
    groups[decay ? 1 : 0].parameters.push_back(i);
  }
  return groups;
}

std::vector<ParameterGroup> layer_decay_groups(const nn::Parameters& parameters,
                                               const nn::LayerOf& layer_of, double weight_decay,
                                               double layer_decay) {
  std::vector<ParameterGroup> groups;
  for (size_t i = 0; i < parameters.all().size(); ++i) {
    const nn::Parameter& parameter = parameters.all()[i];
    if (!parameter.trainable) continue;
    const nn::Layer layer = layer_of(parameter.name);
    const bool decays = parameter.decays() && !layer.exempt;
    const std::string name = fmt::format("layer_{}_{}", layer.index, decays ? "decay" : "no_decay");
    auto group = std::find_if(groups.begin(), groups.end(),
                              [&](const ParameterGroup& known) { return known.name == name; });
    if (group == groups.end()) {
      const double scale = std::pow(layer_decay, layer.last - layer.index);
      group = groups.insert(groups.end(), {name, scale, decays ? weight_decay : 0.0, {}});
    }
    group->parameters.push_back(i);
  }
  return groups;
}

namespace {

std::string_view module_of(std::string_view name) { return name.substr(0, name.rfind('.')); }

// Modules whose weight has one value per channel.
std::set<std::string_view> norms_of(const nn::Parameters& parameters) {
  std::set<std::string_view> norms;
  for (const nn::Parameter& parameter : parameters.all()) {
    const bool of_channels =
        parameter.name.ends_with(".weight") && parameter.published_shape.size() == 1;
    if (of_channels) norms.insert(module_of(parameter.name));
  }
  return norms;
}

}  // namespace

std::vector<ParameterGroup> detection_groups(const nn::Parameters& parameters,
                                             const nn::LayerOf& layer_of, double weight_decay,
                                             double layer_decay) {
  const std::set<std::string_view> norms = norms_of(parameters);
  std::vector<ParameterGroup> groups;
  for (size_t i = 0; i < parameters.all().size(); ++i) {
    const nn::Parameter& parameter = parameters.all()[i];
    if (!parameter.trainable) continue;
    const bool decays = !norms.contains(module_of(parameter.name)) &&
                        !parameter.name.ends_with("pos_embed") &&
                        !parameter.name.ends_with(kRelativeTable);
    const nn::Layer layer = layer_decay < 1 ? layer_of(parameter.name) : nn::Layer{};
    const std::string of_layer = layer_decay < 1 ? fmt::format("layer_{}_", layer.index) : "";
    for (const bool group_decays : {true, false}) {
      const std::string name = of_layer + (group_decays ? "decay" : "no_decay");
      auto group = std::find_if(groups.begin(), groups.end(),
                                [&](const ParameterGroup& known) { return known.name == name; });
      if (group == groups.end()) {
        const double scale = std::pow(layer_decay, layer.last - layer.index);
        group = groups.insert(groups.end(), {name, scale, group_decays ? weight_decay : 0.0, {}});
      }
      if (group_decays == decays) group->parameters.push_back(i);
    }
  }
  return groups;
}

}  // namespace fcm::optim
