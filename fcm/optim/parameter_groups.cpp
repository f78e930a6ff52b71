#include "fcm/optim/parameter_groups.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

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

}  // namespace fcm::optim
