// Tables of segmenters of the base size: names and shapes of parameters, optimizer groups, and mean
// and std of initial weights.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>

#include "fcm/interop/segmenter_names.h"
#include "fcm/models/segmenter.h"
#include "fcm/optim/parameter_groups.h"
#include "tests/parity/cases.h"
#include "tests/parity/comparison.h"

namespace fcm::parity {
namespace {

constexpr double kWeightDecay = 0.05;

models::SegmenterOptions base_segmenter(bool vit) {
  models::SegmenterOptions options;
  if (vit) {
    options.kind = "vit";
    options.encoder = {"custom", {16}, {768}, {12}, 12, {4}, 1e-6};
    options.taps = {3, 5, 7, 11};
  } else {
    options.encoder.norm_epsilon = 1e-5;
  }
  return options;
}

// Compares names and shapes in order. The program has no relative_position_index buffers.
void compare_names(CaseResult& result, const models::Segmenter& model,
                   const nlohmann::json& state_dict) {
  std::vector<std::pair<std::string, std::vector<int64_t>>> wanted, own;
  for (const nlohmann::json& entry : state_dict) {
    const std::string name = entry[0];
    if (name.ends_with("relative_position_index")) continue;
    wanted.emplace_back(name, entry[1].get<std::vector<int64_t>>());
  }
  for (const nn::Parameter& parameter : model.parameters().all()) {
    own.emplace_back(interop::mmseg_name(parameter.name), parameter.published_shape);
  }
  result.tensors += std::ssize(own);
  if (own.size() != wanted.size()) {
    add_fault(result, fmt::format("{} tensors, wanted {}", own.size(), wanted.size()));
  }
  for (size_t i = 0; i < std::min(own.size(), wanted.size()); ++i) {
    if (own[i] == wanted[i]) continue;
    add_fault(result, fmt::format("tensor {}: name or shape of {} is not that of {}", i,
                                  own[i].first, wanted[i].first));
    return;  // all later ones are shifted
  }
}

void compare_groups(CaseResult& result, const models::Segmenter& model, double layer_decay,
                    const nlohmann::json& wanted) {
  const auto& parameters = model.parameters().all();
  const std::vector<optim::ParameterGroup> groups =
      optim::layer_decay_groups(model.parameters(), model.layer_of(), kWeightDecay, layer_decay);
  if (groups.size() != wanted.size()) {
    add_fault(result, fmt::format("{} groups, wanted {}", groups.size(), wanted.size()));
  }
  for (size_t g = 0; g < std::min(groups.size(), wanted.size()); ++g) {
    const optim::ParameterGroup& group = groups[g];
    const nlohmann::json& other = wanted[g];
    std::vector<std::string> names;
    int64_t elements = 0;
    for (const size_t index : group.parameters) {
      names.push_back(interop::mmseg_name(parameters[index].name));
      elements += c10::multiply_integers(parameters[index].published_shape);
    }
    if (group.name != other.at("group_name").get<std::string>() ||
        names != other.at("param_names").get<std::vector<std::string>>() ||
        elements != other.at("elements")) {
      add_fault(result, "group " + group.name + " has other parameters than stored");
    }
    compare_number(result, group.name + ".lr_scale", group.lr_scale, other.at("lr_scale"), 1e-12);
    compare_number(result, group.name + ".weight_decay", group.weight_decay,
                   other.at("weight_decay"), 0);
  }
}

// Compares the statistics of two random initialisations with n values each. Means and std may
// differ by six sampling errors plus the rounding of the three stored digits. Positions are
// skipped: this program initialises them as sines and cosines.
void compare_start(CaseResult& result, const models::Segmenter& model,
                   const nlohmann::json& statistics) {
  constexpr double kErrors = 6, kDigits = 0.005;
  for (const nn::Parameter& parameter : model.parameters().all()) {
    const std::string name = interop::mmseg_name(parameter.name);
    if (!parameter.trainable || name == "backbone.pos_embed") continue;
    const double mean = statistics.at(name)[0], stddev = statistics.at(name)[1];
    const at::Tensor value = parameter.value.detach().to(at::kDouble);
    const auto count = static_cast<double>(value.numel());
    const double own_mean = value.mean().item<double>();
    const double own_stddev = value.std(/*unbiased=*/false).item<double>();
    const double of_mean = kErrors * stddev * std::sqrt(2 / count) + kDigits * std::abs(mean);
    const double of_stddev = kErrors * stddev / std::sqrt(count) + kDigits * stddev;
    ++result.tensors;
    if (std::abs(own_mean - mean) > of_mean || std::abs(own_stddev - stddev) > of_stddev) {
      add_fault(result, fmt::format("{}: mean {:.3g}, std {:.3g}, wanted {:.3g} and {:.3g}", name,
                                    own_mean, own_stddev, mean, stddev));
    }
  }
}

}  // namespace

std::vector<CaseResult> segmentation_table_cases(const Entry& entry, const Request& request) {
  std::vector<CaseResult> results;
  add_case(results, request, entry.file, [&](CaseResult& result) {
    const nlohmann::json table = read_json(entry.path());
    const bool vit = entry.file.starts_with("mae_");
    const models::Segmenter model(base_segmenter(vit), 0);
    if (entry.file == "base_init_statistics.json") return compare_start(result, model, table);
    if (table.contains("state_dict")) {
      compare_names(result, model, table.at("state_dict"));
      compare_number(result, "parameters",
                     static_cast<double>(model.parameters().trainable_elements()),
                     table.at("parameters"), 0);
    }
    if (table.contains("groups")) {
      compare_groups(result, model, vit ? 0.65 : 0.75, table.at("groups"));
    }
  });
  return results;
}

}  // namespace fcm::parity
