// Cases of the files heads_*: one segmentation head on stored maps, in training (loss, gradients)
// and in evaluation.
#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include <filesystem>

#include "fcm/heads/fcn.h"
#include "fcm/heads/upernet.h"
#include "fcm/loss/segmentation.h"
#include "reference/procedural.h"
#include "reference/segmentation.h"
#include "tests/parity/golden.h"
#include "tests/parity/segmentation_head.h"
#include "tests/parity/three_types.h"

namespace fcm::parity {

Entry with_own_errors(const Entry& entry) {
  Entry own = entry;
  std::filesystem::path errors = entry.path();
  errors.replace_extension(".errors.json");
  if (std::filesystem::exists(errors)) own.errors = read_json(errors);
  return own;
}

reference::Weights procedural_weights(const nn::Parameters& parameters, uint64_t seed) {
  reference::Weights weights;
  for (const nn::Parameter& parameter : parameters.all()) {
    weights[parameter.name] =
        parameter.name.ends_with("num_batches_tracked")
            ? at::zeros({})
            : reference::procedural(parameter.name, seed, parameter.published_shape);
  }
  return weights;
}

void set_weights(nn::Parameters& parameters, const reference::Weights& weights) {
  for (const nn::Parameter& parameter : parameters.all()) {
    parameters.set_published(parameter, weights.at(parameter.name));
  }
}

reference::Weights as_type(const reference::Weights& weights, at::ScalarType type) {
  reference::Weights copies;
  for (const auto& [name, value] : weights) {
    at::Tensor copy = value.to(type, /*non_blocking=*/false, /*copy=*/true);
    const bool trained = name.ends_with("weight") || name.ends_with("bias");
    copies[name] = copy.set_requires_grad(trained);
  }
  return copies;
}

namespace {

at::Tensor in_nchw(const at::Tensor& map_BHWC) { return map_BHWC.permute({0, 3, 1, 2}); }
at::Tensor in_nhwc(const at::Tensor& map_BCHW) {
  return map_BCHW.permute({0, 2, 3, 1}).contiguous();
}

struct HeadCase {
  std::string prefix;  // "decode_head" or "auxiliary_head"
  heads::UperNetOptions upernet;
  heads::FcnOptions fcn;
  reference::Weights weights;
  std::vector<at::Tensor> maps_BCHW;  // "feature.<first> ..."
  int64_t first_map = 0;
  double loss_weight = 1;
  Tensors stored;
  bool is_upernet() const { return prefix == "decode_head"; }
};

// The fast path's head: UPerNet or FCN.
struct OwnHead {
  nn::Parameters parameters;
  std::optional<heads::UperNet> upernet;
  std::optional<heads::Fcn> fcn;

  OwnHead(const HeadCase& c, at::ScalarType type) : parameters(0, type) {
    const nn::Scope scope = nn::Scope(parameters) / c.prefix;
    if (c.is_upernet()) {
      upernet.emplace(scope, c.upernet);
    } else {
      fcn.emplace(scope, c.fcn);
    }
  }
  at::Tensor operator()(const std::vector<at::Tensor>& maps, const heads::HeadPass& pass,
                        const nn::Observer& observer = {}) const {
    return upernet ? (*upernet)(maps, pass, observer) : (*fcn)(maps[0], pass, observer);
  }
};

HeadCase make_head_case(const Entry& entry, const Request& request) {
  HeadCase c;
  c.stored = read_tensors(entry.path());
  c.prefix = entry.file.find("auxiliary") == std::string::npos ? "decode_head" : "auxiliary_head";
  const nlohmann::json& config = entry.about.at("config");
  const auto number = [&](const char* key) { return config.at(key).get<int64_t>(); };
  const auto dims = config.at("dims").get<std::vector<int64_t>>();
  const auto size = config.at("size").get<std::vector<int64_t>>();
  c.upernet = {.in = {dims[0], dims[1], dims[2], dims[2]},
               .channels = number("channels"),
               .classes = number("classes")};
  c.fcn = {.in = dims[2], .channels = number("aux"), .classes = number("classes")};
  c.loss_weight = c.is_upernet() ? 1 : 0.4;
  const auto seed = entry.about.at("weight_seed").get<uint64_t>();
  Inputs inputs;  // request.mistake may change them
  inputs.weights = procedural_weights(OwnHead(c, at::kFloat).parameters, seed);
  if (request.mistake) request.mistake(inputs);
  c.weights = inputs.weights;
  c.first_map = c.is_upernet() ? 0 : 2;
  for (int64_t i = c.first_map; i < (c.is_upernet() ? 4 : 3); ++i) {
    const auto side = [&](int64_t pixels) {
      return i < 3 ? pixels >> (2 + i) : ((pixels >> 4) - 3) / 2 + 1;
    };
    c.maps_BCHW.push_back(reference::procedural(
        fmt::format("feature.{}", i), seed,
        {number("batch"), c.upernet.in[static_cast<size_t>(i)], side(size[0]), side(size[1])}));
  }
  return c;
}

// The factors of dropout with rate 0.1: a channel is kept if its draw is at least the rate.
at::Tensor factors_of(const at::Tensor& draws_BC) { return draws_BC.ge(0.1).to(at::kDouble) / 0.9; }

void keep_gradients(Run& run, const HeadCase& c, const std::vector<at::Tensor>& maps, bool nhwc) {
  for (size_t i = 0; i < maps.size(); ++i) {
    const at::Tensor gradient = maps[i].grad();
    run.values[fmt::format("grad.feature.{}", c.first_map + static_cast<int64_t>(i))] =
        nhwc ? in_nchw(gradient).contiguous() : gradient;
  }
}

Run run_fast(const HeadCase& c, Types types) {
  Run run;
  OwnHead head(c, types.parameters);
  set_weights(head.parameters, c.weights);
  std::vector<at::Tensor> maps;
  for (const at::Tensor& map : c.maps_BCHW) {
    maps.push_back(in_nhwc(map).to(types.compute).requires_grad_(true));
  }
  const at::Tensor labels = c.stored.at("labels").squeeze(1);
  const at::Tensor logits = head(
      maps, {.ranks = dist::group_of_one()}, [&](const std::string& name, const at::Tensor& x) {
        run.values["act." + c.prefix + "." + name] = in_nchw(x.detach()).contiguous();
      });
  const loss::SegmentationLoss found = loss::segmentation_loss(logits, labels);
  const at::Tensor weighted = found.loss * c.loss_weight;
  torch::autograd::backward({weighted}, {});
  run.values["logits"] = in_nchw(logits.detach()).contiguous();
  run.values["loss_seg"] = weighted.detach();
  run.values["acc_seg"] =
      found.correct.to(at::kDouble) * (100.0 / static_cast<double>(labels.numel()));
  keep_gradients(run, c, maps, /*nhwc=*/true);
  for (const nn::Parameter& parameter : head.parameters.all()) {
    if (parameter.trainable) {
      run.values["grad." + parameter.name] =
          nn::to_published(parameter.value.grad(), parameter.layout, parameter.published_shape);
    } else if (parameter.name.find(".running_") != std::string::npos) {
      run.values["after." + parameter.name] = parameter.value.clone();
    }
  }
  set_weights(head.parameters, c.weights);
  const at::NoGradGuard no_grad;
  run.values["eval.logits"] = in_nchw(head(maps, {})).contiguous();
  const at::Tensor factors = factors_of(c.stored.at("dropout.u"));
  run.values["dropout.logits"] =
      in_nchw(head(maps, {.ranks = nullptr, .dropout_BC = factors})).contiguous();
  return run;
}

at::Tensor plain_head(const HeadCase& c, const reference::Layers& layers,
                      const std::vector<at::Tensor>& maps,
                      const reference::SegmentationPass& pass) {
  const std::string prefix = c.prefix + ".";
  return c.is_upernet() ? reference::upernet(layers, prefix, maps, pass)
                        : reference::fcn(layers, prefix, maps[0], pass);
}

Run run_reference(const HeadCase& c, Types types) {
  Run run;
  const reference::Weights weights = as_type(c.weights, types.parameters);
  std::vector<at::Tensor> maps;
  for (const at::Tensor& map : c.maps_BCHW) {
    maps.push_back(map.to(types.compute).clone().requires_grad_(true));
  }
  const at::Tensor labels = c.stored.at("labels").squeeze(1);
  const reference::Layers layers(
      weights, types.compute, [&](const std::string& name, const at::Tensor& x) {
        std::string shown = name;  // files name the modules of psp_modules without the last index
        if (name.find("psp_modules") != std::string::npos) shown.resize(shown.size() - 2);
        run.values["act." + shown] = x.detach();
      });
  const at::Tensor logits = plain_head(c, layers, maps, {true, {}});
  const at::Tensor weighted = reference::segmentation_loss(logits, labels) * c.loss_weight;
  torch::autograd::backward({weighted}, {});
  run.values["logits"] = logits.detach();
  run.values["loss_seg"] = weighted.detach();
  run.values["acc_seg"] =
      at::scalar_tensor(reference::segmentation_accuracy(logits, labels), at::kDouble);
  keep_gradients(run, c, maps, /*nhwc=*/false);
  for (const auto& [name, value] : weights) {
    if (value.requires_grad()) {
      run.values["grad." + name] = value.grad();
    } else if (name.find(".running_") != std::string::npos) {
      run.values["after." + name] = value;
    }
  }
  const at::NoGradGuard no_grad;
  const reference::Weights fresh = as_type(c.weights, types.parameters);
  const reference::Layers again(fresh, types.compute);
  run.values["eval.logits"] = plain_head(c, again, maps, {});
  run.values["dropout.logits"] =
      plain_head(c, again, maps, {false, factors_of(c.stored.at("dropout.u"))});
  return run;
}

}  // namespace

std::vector<CaseResult> segmentation_head_cases(const Entry& entry, const Request& request) {
  std::vector<CaseResult> results;
  const Entry own = with_own_errors(entry);
  const auto add = [&](Path path, const char* type, Types types, const Tolerance& tolerance) {
    add_case(results, request, fmt::format("{} [{} {}]", entry.file, path_name(path), type),
             [&](CaseResult& result) {
               const HeadCase c = make_head_case(entry, request);
               Run run = path == Path::kFast ? run_fast(c, types) : run_reference(c, types);
               for (const char* name : {"labels", "dropout.u"}) {
                 run.values[name] = c.stored.at(name);
               }
               compare_with_stored(result, own, c.stored, run, Stored::kFloat32, tolerance);
             });
  };
  for (const Path path : {Path::kFast, Path::kReference}) {
    add(path, "fp32", kFp32, [](const std::string&, Quantity) { return kSegmentationFloat32; });
    add(path, "fp64", kFp64,
        [stored = float64_tolerance(own)](const std::string& tensor, Quantity quantity) {
          // Upstream rounds twice in float32: 100 / pixels, and its product with the count.
          return tensor == "acc_seg" ? 0x1p-23 : stored(tensor, quantity);
        });
  }
  return results;
}

}  // namespace fcm::parity
