#include "tests/parity/detection_stored.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "reference/procedural.h"
#include "tests/parity/golden.h"
#include "tests/parity/three_types.h"

namespace fcm::parity {
namespace {

bool has_part(const std::string& name, const char* part) { return name.find(part) != name.npos; }

// Upstream's float32 error over the whole file, for tensors without a stored error of their own.
double error_of_file(const Entry& entry) {
  if (!entry.about.contains("fp32_vs_fp64")) return 0;
  return entry.about.at("fp32_vs_fp64").at("max_rel_to_tensor_max").get<double>();
}

double forward_tolerance(const Entry& entry, const std::string& name, at::ScalarType type) {
  constexpr double kLeast = 1e-5, kHeadroom = 10;
  if (type == at::kDouble && entry.errors.is_object()) {
    return float64_tolerance(entry)(name, Quantity::kActivation);
  }
  return std::max(kLeast, kHeadroom * error_of_file(entry));
}

void compare_one(CaseResult& result, const Entry& entry, const std::string& name,
                 const at::Tensor& got, const at::Tensor& wanted, at::ScalarType type) {
  constexpr double kPixels = 1e-3, kGradient64 = 1e-5, kGradient32 = 1e-4;
  if (!got.sizes().equals(wanted.sizes())) add_fault(result, name + ": another shape");
  if (!wanted.is_floating_point()) return compare_exactly(result, name, got, wanted);
  if (has_part(name, "boxes") || has_part(name, "proposals") || has_part(name, "decode")) {
    return compare(result, name, got, wanted, kPixels, /*largest=*/1);
  }
  if (name.starts_with("grad") || has_part(name, ".grad_")) {
    return type == at::kDouble ? compare(result, name, got, wanted, kGradient64)
                               : compare_l2(result, name, got, wanted, kGradient32);
  }
  compare(result, name, got, wanted, forward_tolerance(entry, name, type));
}

std::string without_prefix(const std::string& name, const std::string& prefix) {
  return name.starts_with(prefix) ? name.substr(prefix.size()) : name;
}

}  // namespace

void compare_detection(CaseResult& result, const Entry& entry, const Tensors& stored,
                       const Tensors& got, at::ScalarType type,
                       const std::vector<std::string>& given) {
  for (const auto& [name, wanted] : stored) {
    const auto begins = [&name = name](const std::string& start) {
      return name.starts_with(start);
    };
    if (std::any_of(given.begin(), given.end(), begins)) continue;
    const auto found = got.find(name);
    if (found == got.end()) {
      add_fault(result, fmt::format("{} is stored, but no computed tensor has this name", name));
    } else {
      compare_one(result, entry, name, found->second, wanted, type);
    }
  }
}

std::vector<CaseResult> detection_in_two_types(const Entry& entry, const Request& request,
                                               const DetectionRun& run) {
  std::vector<CaseResult> results;
  for (const Path path : {Path::kFast, Path::kReference}) {
    for (const auto& [name, type] : {std::pair{"fp32", at::kFloat}, {"fp64", at::kDouble}}) {
      add_case(results, request, fmt::format("{} [{} {}]", entry.file, path_name(path), name),
               [&, own = type](CaseResult& result) { run(result, path, own); });
    }
  }
  return results;
}

at::Tensor procedural_images(const std::string& name, uint64_t seed,
                             const std::vector<int64_t>& shape) {
  return reference::procedural(name, seed, shape, reference::ProceduralKind::kImages);
}

at::Tensor published_map(const at::Tensor& map_BHWC) { return map_BHWC.permute({0, 3, 1, 2}); }
at::Tensor own_map(const at::Tensor& map_BCHW) {
  return map_BCHW.permute({0, 2, 3, 1}).contiguous();
}

void keep_parameters(Tensors& values, const nn::Parameters& parameters,
                     const std::string& gradient_prefix, const std::string& statistics_prefix) {
  for (const nn::Parameter& parameter : parameters.all()) {
    if (!parameter.trainable) {
      values["after." + without_prefix(parameter.name, statistics_prefix)] =
          parameter.value.clone();
    } else if (parameter.value.grad().defined()) {
      values["grad." + without_prefix(parameter.name, gradient_prefix)] =
          nn::to_published(parameter.value.grad(), parameter.layout, parameter.published_shape);
    }
  }
}

void keep_weights(Tensors& values, const reference::Weights& weights,
                  const std::string& gradient_prefix, const std::string& statistics_prefix) {
  for (const auto& [name, value] : weights) {
    if (!value.requires_grad()) {
      values["after." + without_prefix(name, statistics_prefix)] = value.clone();
    } else if (value.grad().defined()) {
      values["grad." + without_prefix(name, gradient_prefix)] = value.grad();
    }
  }
}

}  // namespace fcm::parity
