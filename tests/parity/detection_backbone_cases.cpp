// Backbones of the upstream detectors: maps, activations and gradients by both paths; drop path
// with the stored draws; resized positions; names and weight decay of the base size.
#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>

#include "fcm/nn/positions.h"
#include "reference/procedural.h"
#include "tests/parity/detection_backbone.h"
#include "tests/parity/detection_cases.h"
#include "tests/parity/golden.h"
#include "tests/parity/segmentation_head.h"
#include "tests/parity/segmentor.h"
#include "tests/parity/three_types.h"

namespace fcm::parity {
namespace {

// The bound of the set's README for float32: ten times upstream's difference from float64, and at
// least 1e-5. Gradients have a bound of 1e-4.
double detection_float32(const Entry& entry) {
  const double own = entry.about.at("fp32_vs_fp64").at("max_rel_to_tensor_max");
  return std::max(10 * own, 1e-5);
}
constexpr double kDetectionGradient = 1e-4;

// The number of stored tensors to compare: all but the indices of sampled values (".idx") and the
// random draws ("u."), which are inputs.
int64_t comparable(const Tensors& stored) {
  return std::ranges::count_if(stored, [](const auto& item) {
    return !item.first.ends_with(".idx") && !item.first.starts_with("u.");
  });
}

// Drop path that takes the stored random draws; each block with a rate above 0 draws twice.
nn::DropPath stored_drop_path(const BackboneCase& c, double rate) {
  nn::DropPath drop_path;
  int64_t call = 0;
  const std::vector<int64_t>& depths = c.options.encoder.depths;
  for (const double p : nn::drop_path_rates(rate, depths[0] + depths[1] + depths[2])) {
    const auto next = [&] {
      const at::Tensor u = c.stored.at(fmt::format("u.{:03}", call++));
      return (u + (1 - p)).floor() / (1 - p);
    };
    if (p == 0) {
      drop_path.emplace_back();
      continue;
    }
    const at::Tensor first = next();
    drop_path.push_back({first, next()});
  }
  return drop_path;
}

void compare_backbone(CaseResult& result, const Entry& entry, const BackboneCase& c, Path path,
                      Types types) {
  const double float32 = detection_float32(entry);
  StoredTensors stored(result, entry, c.stored, types.parameters == at::kDouble);
  const bool drops = c.stored.contains("u.000");
  const at::Tensor images =
      reference::procedural("images", c.seed, {c.batch, 3, c.options.rows, c.options.cols})
          .to(types.parameters)
          .set_requires_grad(true);
  reference::Weights weights_after_backbone;
  for (const auto& [name, value] : c.weights_after_backbone) {
    weights_after_backbone[name] =
        value.to(types.parameters, /*non_blocking=*/false, /*copy=*/true).set_requires_grad(true);
  }
  const std::unique_ptr<BackbonePath> model = backbone_path(c, path, types);
  constexpr double kRate = 0.5;  // of backbone_droppath, from its manifest text
  const BackbonePath::Output output =
      model->run(images, drops ? stored_drop_path(c, kRate) : nn::DropPath{});
  const NamedMaps maps = neck_maps(c, weights_after_backbone, output.maps_BCHW);
  at::Tensor loss = at::zeros({}, images.options());
  for (const auto& [name, map] : maps) {
    stored.compare_one(name, map.contiguous(), float32);
    const at::Tensor probe = reference::procedural("probe." + name, c.seed, map.sizes().vec());
    loss = loss + (map * probe.to(map.scalar_type())).mean();
  }
  for (const auto& [name, value] : output.activations) {
    stored.compare_one("act." + name, value, float32);
  }
  stored.compare_one("pos_embed", c.weights.at(c.prefix + c.stored_prefix + "pos_embed"), float32);
  if (!drops) {
    torch::autograd::backward({loss}, {});
    stored.compare_one("loss", loss, float32);
    stored.compare_one("grad_input", images.grad(), kDetectionGradient);
    std::map<std::string, at::Tensor> gradients = model->gradients();
    for (const auto& [name, value] : weights_after_backbone) gradients[name] = value.grad();
    for (const auto& [name, value] : gradients) {
      if (!value.defined()) continue;
      const std::string own = name.substr(c.prefix.size());
      stored.compare_one("grad." + own, without_key_bias(own, value), kDetectionGradient);
    }
  }
  if (stored.compared() != comparable(c.stored)) {
    add_fault(result, fmt::format("{} of {} stored tensors were compared", stored.compared(),
                                  comparable(c.stored)));
  }
}

}  // namespace

std::vector<CaseResult> detection_backbone_cases(const Entry& entry, const Request& request) {
  std::vector<CaseResult> results;
  for (const Path path : {Path::kFast, Path::kReference}) {
    for (const auto& [name, types] : {std::pair{"fp32", kFp32}, std::pair{"fp64", kFp64}}) {
      add_case(results, request, fmt::format("{} [{} {}]", entry.file, path_name(path), name),
               [&, types = types](CaseResult& result) {
                 compare_backbone(result, entry, backbone_case(entry, request), path, types);
               });
    }
  }
  return results;
}

std::vector<CaseResult> detection_position_cases(const Entry& entry, const Request& request) {
  std::vector<CaseResult> results;
  for (const auto& [type_name, type] :
       {std::pair{"fp32", at::kFloat}, std::pair{"fp64", at::kDouble}}) {
    add_case(results, request, fmt::format("{} [fast {}]", entry.file, type_name),
             [&, type = type](CaseResult& result) {
               const Tensors tensors = read_tensors(entry.path());
               StoredTensors stored(result, entry, tensors, type == at::kDouble);
               for (const auto& [name, value] : tensors) {
                 if (name.ends_with(".idx")) continue;
                 // The name is "pos.<D>.<rows>x<cols>", with ".val" after it if sampled.
                 const auto dim = std::stoll(name.substr(4));
                 const std::string grid = name.substr(name.find('.', 4) + 1);
                 const auto rows = std::stoll(grid),
                            cols = std::stoll(grid.substr(grid.find('x') + 1));
                 const at::Tensor table = nn::sincos_positions(14, 14, dim).to(type);
                 stored.compare_one(fmt::format("pos.{}.{}x{}", dim, rows, cols),
                                    nn::resize_positions(table, 14, 14, rows, cols),
                                    detection_float32(entry));
               }
               if (stored.compared() != comparable(tensors)) {
                 add_fault(result, "some stored tensors were not compared");
               }
             });
  }
  return results;
}

std::vector<CaseResult> detection_table_cases(const Entry& entry, const Request& request) {
  std::vector<CaseResult> results;
  add_case(results, request, entry.file + " [backbone]", [&](CaseResult& result) {
    const nlohmann::json stored = read_json(entry.path());
    nn::Parameters parameters(0, at::kFloat);
    const std::string prefix = "backbone.bottom_up.";
    const models::DetectorBackbone backbone(
        nn::Scope(parameters) / "backbone" / models::backbone_place({}), {});
    const nn::LayerOf layer_of = backbone.layer_of();
    int64_t elements = 0;
    size_t next = 0;
    for (const nlohmann::json& row : stored.at("state_dict")) {
      const std::string name = row[0];
      if (!name.starts_with(prefix) || row[3] == "buffer") continue;
      ++result.tensors;
      if (next == parameters.all().size()) return add_fault(result, name + " is missing");
      const nn::Parameter& own = parameters.all()[next++];
      const auto shape = row[1].get<std::vector<int64_t>>();
      if (own.name != name || own.published_shape != shape) {
        return add_fault(result, fmt::format("parameter {}: name or shape of {} is not that of {}",
                                             next - 1, own.name, name));
      }
      const bool exempt = layer_of(std::string_view(own.name).substr(prefix.size())).exempt;
      const std::string role = !own.trainable ? "frozen" : exempt ? "wd 0" : "wd 0.1";
      if (role != row[3].get<std::string>()) add_fault(result, fmt::format("{} is {}", name, role));
      if (own.trainable) elements += own.value.numel();
    }
    if (next != parameters.all().size()) {
      add_fault(result, parameters.all()[next].name + " is not in the stored state_dict");
    }
    compare_number(result, "elements", static_cast<double>(elements),
                   stored.at("by_part").at("backbone.bottom_up").get<double>(), 0);
  });
  return results;
}

}  // namespace fcm::parity
