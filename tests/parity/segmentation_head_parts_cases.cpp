// Parts of segmenters next to the heads: the loss from logits (file losses), the fourth map,
// adaptive pooling and its projections (file map4_and_pooling).
#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include "fcm/heads/fourth_map.h"
#include "fcm/heads/upernet.h"
#include "fcm/loss/segmentation.h"
#include "fcm/nn/upsample.h"
#include "reference/procedural.h"
#include "reference/segmentation.h"
#include "tests/parity/golden.h"
#include "tests/parity/segmentation_head.h"
#include "tests/parity/three_types.h"

namespace fcm::parity {
namespace {

at::Tensor nchw_of(const at::Tensor& map_BHWC) { return map_BHWC.permute({0, 3, 1, 2}); }
at::Tensor nhwc_of(const at::Tensor& map_BCHW) {
  return map_BCHW.permute({0, 2, 3, 1}).contiguous();
}

at::Tensor procedural_of(const nlohmann::json& text, const char* name) {
  const ProceduralText parsed = parse_procedural(text.get<std::string>(), 0);
  return reference::procedural(name, parsed.seed, parsed.shape);
}

// Compares with a tensor that is stored whole or sampled.
void compare_maps(CaseResult& result, const Tensors& stored, const std::string& name,
                  const at::Tensor& got, double tolerance) {
  if (stored.contains(name)) return compare(result, name, got, stored.at(name), tolerance);
  const at::Tensor at_positions =
      got.reshape({-1}).index_select(0, stored.at(name + ".idx").flatten());
  compare(result, name, at_positions, stored.at(name + ".val"), tolerance,
          got.abs().max().item<double>());
}

// Results of either path, in NCHW.
struct LossOfLogits {
  at::Tensor resized, loss, gradient;
  double accuracy = 0;
};

LossOfLogits fast_loss(const at::Tensor& logits_BKHW, const at::Tensor& labels, double weight) {
  const at::Tensor logits = nhwc_of(logits_BKHW).requires_grad_(true);
  const loss::SegmentationLoss found = loss::segmentation_loss(logits, labels);
  const at::Tensor weighted = found.loss * weight;
  torch::autograd::backward({weighted}, {});
  return {nchw_of(nn::upsample(logits.detach(), labels.size(1), labels.size(2))), weighted.detach(),
          nchw_of(logits.grad()),
          100 * found.correct.item<double>() / static_cast<double>(labels.numel())};
}

LossOfLogits plain_loss(const at::Tensor& logits_BKHW, const at::Tensor& labels, double weight) {
  const at::Tensor logits = logits_BKHW.clone().requires_grad_(true);
  const at::Tensor weighted = reference::segmentation_loss(logits, labels) * weight;
  torch::autograd::backward({weighted}, {});
  return {reference::upsampled(logits.detach(), labels.size(1), labels.size(2)), weighted.detach(),
          logits.grad(), reference::segmentation_accuracy(logits, labels)};
}

void losses_of(CaseResult& result, const Entry& entry, const Request& request, Path path,
               at::ScalarType type, double tolerance) {
  const Tensors stored = read_tensors(entry.path());
  for (size_t i = 0; i < entry.about.at("cases").size(); ++i) {
    const nlohmann::json& about = entry.about.at("cases").at(i);
    const std::string name = fmt::format("case{}.", i);
    Inputs inputs;
    inputs.images_BCHW = procedural_of(about.at("logits"), "logits");
    if (request.mistake) request.mistake(inputs);
    const at::Tensor logits = inputs.images_BCHW.to(type), labels = stored.at(name + "labels");
    const auto weight = about.at("loss_weight").get<double>();
    const LossOfLogits got = path == Path::kFast ? fast_loss(logits, labels, weight)
                                                 : plain_loss(logits, labels, weight);
    compare_number(result, name + "ignored", labels.eq(loss::kIgnoredLabel).sum().item<double>(),
                   about.at("ignored").get<double>(), 0);
    compare(result, name + "loss", got.loss, stored.at(name + "loss"), tolerance);
    compare_number(result, name + "accuracy", got.accuracy,
                   stored.at(name + "accuracy").item<double>(), 1e-6);
    compare(result, name + "grad_logits", got.gradient, stored.at(name + "grad_logits"), tolerance);
    compare_maps(result, stored, name + "resized", got.resized, tolerance);
    // The file also stores the loss that a common mistake would give: the mean over labelled pixels
    // instead of all pixels. It is -1 if the case has no such value.
    const double wrong = stored.at(name + "wrong_if_mean_over_labelled").item<double>();
    const bool ignores = about.at("ignored").get<int64_t>() > 0;
    if (ignores && std::abs(got.loss.item<double>() - wrong) < 0.01 * std::abs(wrong)) {
      add_fault(result, name + "loss: a mean over labelled pixels");
    }
  }
}

struct FourthMapTensors {
  Tensors values;  // map4, pool<N>, psp
};

constexpr std::array<int64_t, 4> kPoolSides{1, 2, 3, 6};

FourthMapTensors fast_map(const at::Tensor& feature_BCHW, int64_t channels, uint64_t seed,
                          at::ScalarType type, const InputMistake& mistake) {
  const int64_t in = feature_BCHW.size(1);
  nn::Parameters parameters(0, type);
  const heads::FourthMap fourth(nn::Scope(parameters) / "backbone", in);
  const heads::UperNet head(nn::Scope(parameters) / "decode_head",
                            {.in = {1, 1, 1, in}, .channels = channels, .classes = 2});
  Inputs inputs;
  inputs.weights = procedural_weights(parameters, seed);
  if (mistake) mistake(inputs);
  set_weights(parameters, inputs.weights);
  const at::NoGradGuard no_grad;
  const at::Tensor map = fourth(nhwc_of(feature_BCHW).to(type), nullptr);
  FourthMapTensors result;
  result.values["map4"] = nchw_of(map);
  for (const int64_t side : kPoolSides) {
    result.values[fmt::format("pool{}", side)] = nchw_of(nn::adaptive_pool(map, side));
  }
  const at::Tensor fine = at::ones({map.size(0), 8, 8, 1}, map.options());
  head({fine, fine, fine, map}, {}, [&](const std::string& name, const at::Tensor& x) {
    if (name == "bottleneck") result.values["psp"] = nchw_of(x).clone();
  });
  return result;
}

FourthMapTensors plain_map(const at::Tensor& feature_BCHW, int64_t channels, uint64_t seed,
                           at::ScalarType type, const InputMistake& mistake) {
  const int64_t in = feature_BCHW.size(1);
  nn::Parameters parameters(0, at::kFloat);  // only its names and shapes are used
  const heads::FourthMap fourth(nn::Scope(parameters) / "backbone", in);
  const heads::UperNet head(nn::Scope(parameters) / "decode_head",
                            {.in = {1, 1, 1, in}, .channels = channels, .classes = 2});
  Inputs inputs;
  inputs.weights = procedural_weights(parameters, seed);
  if (mistake) mistake(inputs);
  const at::NoGradGuard no_grad;
  const reference::Weights weights = as_type(inputs.weights, type);
  FourthMapTensors result;
  const reference::Layers layers(weights, type, [&](const std::string& name, const at::Tensor& x) {
    if (name == "decode_head.bottleneck") result.values["psp"] = x.clone();
  });
  const at::Tensor map = reference::fourth_map(layers, "backbone.fpn", feature_BCHW.to(type), {});
  result.values["map4"] = map;
  for (const int64_t side : kPoolSides) {
    result.values[fmt::format("pool{}", side)] = at::adaptive_avg_pool2d(map, {side, side});
  }
  const at::Tensor fine = at::ones({map.size(0), 1, 8, 8}, map.options());
  reference::upernet(layers, "decode_head.", {fine, fine, fine, map}, {});
  return result;
}

void maps_of(CaseResult& result, const Entry& entry, const Request& request, Path path,
             at::ScalarType type, double tolerance) {
  const Tensors stored = read_tensors(entry.path());
  const auto channels = entry.about.at("channels").get<int64_t>();
  for (size_t i = 0; i < entry.about.at("cases").size(); ++i) {
    const nlohmann::json& about = entry.about.at("cases").at(i);
    const at::Tensor feature = procedural_of(about.at("feature"), "feature.2");
    const auto seed = about.at("weight_seed").get<uint64_t>();
    const FourthMapTensors got = path == Path::kFast
                                     ? fast_map(feature, channels, seed, type, request.mistake)
                                     : plain_map(feature, channels, seed, type, request.mistake);
    for (const auto& [name, value] : got.values) {
      const std::string full = fmt::format("case{}.{}", i, name);
      if (!value.sizes().equals(stored.at(full).sizes())) add_fault(result, full + ": shape");
      compare(result, full, value, stored.at(full), tolerance);
    }
  }
}

using PartCase = void (*)(CaseResult&, const Entry&, const Request&, Path, at::ScalarType, double);

// The cases of a file in float32 and float64. Tensors are stored from float32, so the bound of
// float64 is 1.5 times upstream's own error.
std::vector<CaseResult> in_two_types(const Entry& entry, const Request& request, PartCase run) {
  std::vector<CaseResult> results;
  const auto own_error = entry.about.at("fp32_vs_fp64").at("max_rel_to_tensor_max").get<double>();
  for (const Path path : {Path::kFast, Path::kReference}) {
    const auto add = [&](const char* type, at::ScalarType in, double tolerance) {
      add_case(results, request, fmt::format("{} [{} {}]", entry.file, path_name(path), type),
               [&](CaseResult& result) { run(result, entry, request, path, in, tolerance); });
    };
    add("fp32", at::kFloat, kSegmentationFloat32);
    add("fp64", at::kDouble, 1.5 * own_error + 0x1p-24);
  }
  return results;
}

}  // namespace

std::vector<CaseResult> segmentation_loss_cases(const Entry& entry, const Request& request) {
  return in_two_types(entry, request, losses_of);
}

std::vector<CaseResult> segmentation_map_cases(const Entry& entry, const Request& request) {
  return in_two_types(entry, request, maps_of);
}

}  // namespace fcm::parity
