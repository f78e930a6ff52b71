// Cases of the kind param-groups: the parameters of an optimizer, their groups and their order.
#include <fmt/format.h>

#include <memory>
#include <regex>

#include "fcm/base/error.h"
#include "fcm/interop/architecture.h"
#include "fcm/interop/published_recipe.h"
#include "fcm/models/classifier.h"
#include "fcm/models/masked_autoencoder.h"
#include "fcm/optim/parameter_groups.h"
#include "fcm/recipe/setup.h"
#include "tests/parity/cases.h"
#include "tests/parity/classifier_run.h"

namespace fcm::parity {
namespace {

void compare_groups(CaseResult& result, const nlohmann::json& wanted,
                    const std::vector<optim::ParameterGroup>& groups,
                    const nn::Parameters& parameters) {
  if (groups.size() != wanted.size()) {
    return add_fault(result, fmt::format("{} groups, {} stored", groups.size(), wanted.size()));
  }
  for (size_t i = 0; i < groups.size(); ++i) {
    const nlohmann::json& group = wanted.at(i);
    const std::string name = fmt::format("group {}", i);
    compare_number(result, name + " weight_decay", groups[i].weight_decay,
                   group.at("weight_decay").get<double>(), 1e-15);
    if (group.contains("lr_scale")) {
      compare_number(result, name + " lr_scale", groups[i].lr_scale,
                     group.at("lr_scale").get<double>(), 1e-15);
    }
    std::vector<std::string> names;
    int64_t elements = 0;
    for (const size_t index : groups[i].parameters) {
      names.push_back(parameters.all()[index].name);
      elements += parameters.all()[index].value.numel();
    }
    ++result.tensors;
    if (names != group.at("params").get<std::vector<std::string>>()) {
      add_fault(result, name + " has other parameters than stored, or another order of them");
    }
    if (group.contains("elements")) {
      compare_number(result, name + " elements", static_cast<double>(elements),
                     group.at("elements").get<double>(), 0);
    }
  }
}

// Groups of a pretraining model. Its sizes are derived from the shapes of the listed state_dict.
void pretraining_groups(CaseResult& result, const nlohmann::json& table) {
  std::vector<formats::TensorView> tensors;
  for (const nlohmann::json& item : table.at("state_dict")) {
    tensors.push_back(
        {item.at(0).get<std::string>(), "F32", item.at(1).get<std::vector<int64_t>>(), {}});
  }
  const auto architecture = interop::recognise(tensors);
  require(architecture.has_value(), "the state_dict is of no model that this program knows");
  const recipe::Recipe recipe = interop::published_recipe(*architecture, nullptr, {}, "state_dict");
  const models::MaskedAutoencoder model(recipe::autoencoder_options(recipe), 0);
  const auto& all = model.parameters().all();
  for (size_t i = 0; i < std::min(all.size(), tensors.size()); ++i) {
    ++result.tensors;
    if (all[i].name != tensors[i].name || all[i].published_shape != tensors[i].shape) {
      add_fault(result, fmt::format("entry {} of the state_dict is {}, stored is {}", i,
                                    all[i].name, tensors[i].name));
    }
  }
  if (all.size() != tensors.size()) {
    add_fault(result,
              fmt::format("{} tensors, the stored state_dict has {}", all.size(), tensors.size()));
  }
  compare_groups(result, table.at("groups"),
                 optim::pretraining_groups(model.parameters(), recipe.optim), model.parameters());
}

// Groups of a classifier. The manifest names the upstream factory and its arguments.
void layer_decay_groups(CaseResult& result, const Entry& entry, const nlohmann::json& table) {
  const std::string text = entry.about.value("meaning", "");
  std::smatch match;
  const bool found =
      std::regex_search(text, match, std::regex(R"((\w*vit_\w+)\(global_pool=(True|False)\))"));
  require(found, "the manifest names no upstream factory: {}", text);
  const std::string factory = match[1];
  const bool conv = factory.starts_with("convvit");
  const PublishedModel published = published_model(
      {{"source", {{"file", conv ? "models_convvit.py" : "models_vit.py"}, {"cls", factory}}},
       {"constructor", {{"global_pool", match[2] == "True"}, {"num_classes", 1000}}}});
  const models::Classifier model(fast_classifier(published), 0);
  if (table.contains("parameters")) {
    compare_number(result, "parameters",
                   static_cast<double>(model.parameters().trainable_elements()),
                   table.at("parameters").get<double>(), 0);
  }
  compare_groups(result, table.at("groups"),
                 optim::layer_decay_groups(model.parameters(), model.layer_of(),
                                           number_after(text, "weight_decay"),
                                           number_after(text, "layer_decay")),
                 model.parameters());
}

}  // namespace

std::vector<CaseResult> group_cases(const Entry& entry, const Request& request) {
  std::vector<CaseResult> results;
  add_case(results, request, entry.file, [&](CaseResult& result) {
    const nlohmann::json table = read_json(entry.path());
    if (table.contains("state_dict")) return pretraining_groups(result, table);
    layer_decay_groups(result, entry, table);
  });
  return results;
}

}  // namespace fcm::parity
