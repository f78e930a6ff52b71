// The box head (box_head_tiny), the mask head (mask_head_tiny) and their batch norm over ranks
// (sync_bn), on given pooled regions.
#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include "fcm/heads/box_head.h"
#include "fcm/heads/mask_head.h"
#include "fcm/loss/detection.h"
#include "reference/detection.h"
#include "reference/detection_boxes.h"
#include "tests/dist/thread_group.h"
#include "tests/parity/detection_cases.h"
#include "tests/parity/detection_stored.h"
#include "tests/parity/segmentation_head.h"

namespace fcm::parity {
namespace {

struct RegionCase {
  const Entry& entry;
  Tensors stored;
  uint64_t seed;
  Inputs inputs;
  at::Tensor pooled_RCPP;

  int64_t number(const char* key) const { return entry.about.at(key).get<int64_t>(); }
  // Concatenates "<name>.0" and "<name>.1" of the two images.
  at::Tensor joined(const std::string& name) const {
    return at::cat({stored.at(name + ".0"), stored.at(name + ".1")});
  }
};

RegionCase region_case(const Entry& entry, const Request& request, const nn::Parameters& names,
                       int64_t side) {
  RegionCase c{
      entry, read_tensors(entry.path()), entry.about.at("weight_seed").get<uint64_t>(), {}, {}};
  c.inputs.weights = procedural_weights(names, c.seed);
  c.pooled_RCPP =
      procedural_images("pooled", c.seed, {c.number("rois"), c.number("channels"), side, side});
  if (request.mistake) request.mistake(c.inputs);
  return c;
}

at::Tensor region_leaf(const at::Tensor& pooled, at::ScalarType type) {
  return pooled.to(type, /*non_blocking=*/false, /*copy=*/true).requires_grad_(true);
}

void count_batches(Tensors& got, const char* stem) {  // at::batch_norm has no batch counter
  for (int i = 1; i <= 4; ++i) {
    got[fmt::format("after.{}{}.norm.num_batches_tracked", stem, i)] = at::ones({});
  }
}

heads::BoxHeadOptions box_options(const Entry& entry) {
  return {.channels = entry.about.at("channels").get<int64_t>(),
          .width = entry.about.at("fc").get<int64_t>(),
          .classes = entry.about.at("classes").get<int64_t>()};
}

Tensors fast_box_head(const RegionCase& c, at::ScalarType type) {
  Tensors got;
  nn::Parameters parameters(0, type);
  const heads::BoxHead head(nn::Scope(parameters) / "roi_heads", box_options(c.entry));
  set_weights(parameters, c.inputs.weights);
  const at::Tensor pooled = region_leaf(own_map(c.pooled_RCPP), type);
  const heads::BoxPredictions found = head(pooled, dist::group_of_one());
  const loss::RegionTargets targets{c.joined("gt_classes"), c.joined("proposals"),
                                    c.joined("gt_boxes")};
  const loss::BoxLosses losses = loss::box_losses(found.scores_RC, found.deltas_RD, targets,
                                                  static_cast<double>(c.number("rois")));
  torch::autograd::backward({losses.classes + losses.deltas}, {});
  got["loss_cls"] = losses.classes.detach();
  got["loss_box_reg"] = losses.deltas.detach();
  got["features"] = found.features_RF.detach();
  got["scores"] = found.scores_RC.detach();
  got["deltas"] = found.deltas_RD.detach();
  got["grad_input"] = published_map(pooled.grad());
  keep_parameters(got, parameters, "roi_heads.", "roi_heads.box_head.");
  const at::NoGradGuard no_grad;
  const int64_t half = c.number("rois") / 2;
  const loss::BoxLosses background = loss::box_losses(
      found.scores_RC.narrow(0, 0, half), found.deltas_RD.narrow(0, 0, half),
      {at::full({half}, c.number("classes"), at::kLong), targets.regions_R4.narrow(0, 0, half),
       targets.truths_R4.narrow(0, 0, half)},
      static_cast<double>(half));
  got["all_background.loss_cls"] = background.classes;
  got["all_background.loss_box_reg"] = background.deltas;
  const heads::BoxPredictions later = head(pooled, nullptr);
  got["eval.features"] = later.features_RF;
  got["eval.scores"] = later.scores_RC;
  got["eval.deltas"] = later.deltas_RD;
  return got;
}

Tensors plain_box_head(const RegionCase& c, at::ScalarType type) {
  Tensors got;
  const reference::Weights weights = as_type(c.inputs.weights, type);
  const reference::Layers layers(weights, type);
  const at::Tensor pooled = region_leaf(c.pooled_RCPP, type);
  const reference::BoxHeadResult found = reference::box_head(layers, "roi_heads.", pooled, true);
  const at::Tensor classes = c.joined("gt_classes");
  const at::Tensor targets =
      reference::deltas_between(c.joined("proposals"), c.joined("gt_boxes"), {10, 10, 5, 5});
  const reference::BoxLossPair losses =
      reference::box_losses(found.scores_RC, found.deltas_RD, classes, targets);
  torch::autograd::backward({losses.classes + losses.deltas}, {});
  got["loss_cls"] = losses.classes.detach();
  got["loss_box_reg"] = losses.deltas.detach();
  got["features"] = found.features_RF.detach();
  got["scores"] = found.scores_RC.detach();
  got["deltas"] = found.deltas_RD.detach();
  got["grad_input"] = pooled.grad();
  keep_weights(got, weights, "roi_heads.", "roi_heads.box_head.");
  count_batches(got, "conv");
  const at::NoGradGuard no_grad;
  const int64_t half = c.number("rois") / 2;
  const reference::BoxLossPair background = reference::box_losses(
      found.scores_RC.narrow(0, 0, half), found.deltas_RD.narrow(0, 0, half),
      at::full({half}, c.number("classes"), at::kLong), targets.narrow(0, 0, half));
  got["all_background.loss_cls"] = background.classes;
  got["all_background.loss_box_reg"] = background.deltas;
  const reference::BoxHeadResult later = reference::box_head(layers, "roi_heads.", pooled, false);
  got["eval.features"] = later.features_RF;
  got["eval.scores"] = later.scores_RC;
  got["eval.deltas"] = later.deltas_RD;
  return got;
}

void box_head_case(CaseResult& result, const Entry& entry, const Request& request, Path path,
                   at::ScalarType type) {
  nn::Parameters names(0, at::kFloat);
  const heads::BoxHead head(nn::Scope(names) / "roi_heads", box_options(entry));
  const RegionCase c = region_case(entry, request, names, /*side=*/7);
  compare_detection(result, entry, c.stored,
                    path == Path::kFast ? fast_box_head(c, type) : plain_box_head(c, type), type,
                    {"gt_", "proposals."});
}

heads::MaskHeadOptions mask_options(const Entry& entry) {
  return {.channels = entry.about.at("channels").get<int64_t>(),
          .classes = entry.about.at("classes").get<int64_t>()};
}

struct OwnMaskHead {
  nn::Parameters parameters;
  heads::MaskHead head;
  OwnMaskHead(const RegionCase& c, at::ScalarType type)
      : parameters(0, type),
        head(nn::Scope(parameters) / "roi_heads" / "mask_head", mask_options(c.entry)) {
    set_weights(parameters, c.inputs.weights);
  }
};

Tensors fast_mask_head(const RegionCase& c, at::ScalarType type) {
  Tensors got;
  const OwnMaskHead own(c, type);
  const at::Tensor pooled = region_leaf(own_map(c.pooled_RCPP), type);
  const at::Tensor classes = c.joined("classes");
  const at::Tensor loss =
      loss::mask_loss(own.head(pooled, classes, dist::group_of_one()), c.joined("targets"),
                      static_cast<double>(classes.size(0)));
  torch::autograd::backward({loss}, {});
  got["loss_mask"] = loss.detach();
  got["grad_input"] = published_map(pooled.grad());
  keep_parameters(got, own.parameters, "roi_heads.mask_head.", "roi_heads.mask_head.");
  const at::NoGradGuard no_grad;
  const OwnMaskHead fresh(c, type);  // its running statistics are still the stored ones
  got["logits"] = published_map(fresh.head.of_all_classes(pooled, dist::group_of_one()));
  got["eval.logits"] = published_map(own.head.of_all_classes(pooled, nullptr));
  got["eval.probabilities"] = own.head(pooled, classes, nullptr).sigmoid();
  return got;
}

Tensors plain_mask_head(const RegionCase& c, at::ScalarType type) {
  Tensors got;
  const reference::Weights weights = as_type(c.inputs.weights, type);
  const reference::Layers layers(weights, type);
  const std::string name = "roi_heads.mask_head.";
  const at::Tensor pooled = region_leaf(c.pooled_RCPP, type);
  const at::Tensor classes = c.joined("classes");
  const at::Tensor logits = reference::mask_head(layers, name, pooled, true);
  const at::Tensor loss = reference::mask_loss(logits, classes, c.joined("targets"));
  torch::autograd::backward({loss}, {});
  got["loss_mask"] = loss.detach();
  got["logits"] = logits.detach();
  got["grad_input"] = pooled.grad();
  keep_weights(got, weights, name, name);
  count_batches(got, "mask_fcn");
  const at::NoGradGuard no_grad;
  const at::Tensor later = reference::mask_head(layers, name, pooled, false);
  std::vector<at::Tensor> own;
  for (int64_t r = 0; r < classes.size(0); ++r) {
    own.push_back(later[r][classes[r].item<int64_t>()].sigmoid());
  }
  got["eval.logits"] = later;
  got["eval.probabilities"] = at::stack(own);
  return got;
}

void mask_head_case(CaseResult& result, const Entry& entry, const Request& request, Path path,
                    at::ScalarType type) {
  nn::Parameters names(0, at::kFloat);
  const heads::MaskHead head(nn::Scope(names) / "roi_heads" / "mask_head", mask_options(entry));
  const RegionCase c = region_case(entry, request, names, /*side=*/14);
  compare_detection(result, entry, c.stored,
                    path == Path::kFast ? fast_mask_head(c, type) : plain_mask_head(c, type), type,
                    {"boxes.", "classes.", "targets."});
}

constexpr int64_t kNormChannels = 4;

struct NormCase {
  std::string name;  // "a"
  std::vector<at::Tensor> x_NCHW, probes_NCHW;
  reference::Weights weights;
  at::ScalarType type;
  bool apart;  // the planted mistake: each rank uses only its own statistics
};

void keep_rank(Tensors& got, const NormCase& c, size_t rank, const at::Tensor& y,
               const at::Tensor& dx, const at::Tensor& dweight, const at::Tensor& dbias) {
  if (c.x_NCHW[rank].size(0) > 0) {
    got[fmt::format("{}.y.{}", c.name, rank)] = y.detach().contiguous();
    got[fmt::format("{}.grad_x.{}", c.name, rank)] = dx;
  }
  got[fmt::format("{}.grad_weight.{}", c.name, rank)] = dweight;
  got[fmt::format("{}.grad_bias.{}", c.name, rank)] = dbias;
}

Tensors fast_norm(const NormCase& c) {
  std::vector<Tensors> of_ranks(2);
  dist::test::run_ranks(2, [&](dist::Group& group) {
    const auto rank = static_cast<size_t>(group.rank());
    nn::Parameters parameters(0, c.type);
    const nn::BatchNorm norm(nn::Scope(parameters) / "bn", kNormChannels,
                             {.over_ranks = nn::OverRanks::kWeightedRanks});
    set_weights(parameters, c.weights);
    const nn::Ranks ranks = c.apart ? dist::group_of_one() : nn::Ranks(&group, [](dist::Group*) {});
    const at::Tensor x = region_leaf(own_map(c.x_NCHW[rank]), c.type);
    const at::Tensor y = published_map(norm(x, ranks));
    torch::autograd::backward({(y * c.probes_NCHW[rank].to(c.type)).sum()}, {});
    Tensors& got = of_ranks[rank];
    const auto value = [&](const char* name) { return parameters.find(name).value; };
    keep_rank(got, c, rank, y, published_map(x.grad()), value("bn.weight").grad(),
              value("bn.bias").grad());
    got[c.name + ".running_mean"] = value("bn.running_mean");
    got[c.name + ".running_var"] = value("bn.running_var");
  });
  of_ranks[0].merge(of_ranks[1]);
  return of_ranks[0];
}

Tensors plain_norm(const NormCase& c) {
  Tensors got;
  const reference::Weights running = as_type(c.weights, c.type);
  const at::Tensor mean = running.at("bn.running_mean"), variance = running.at("bn.running_var");
  std::vector<at::Tensor> x, weights, biases;
  for (size_t rank = 0; rank < 2; ++rank) {
    x.push_back(region_leaf(c.x_NCHW[rank], c.type));
    weights.push_back(region_leaf(c.weights.at("bn.weight"), c.type));
    biases.push_back(region_leaf(c.weights.at("bn.bias"), c.type));
  }
  std::vector<at::Tensor> y;
  if (c.apart) {
    for (size_t rank = 0; rank < 2; ++rank) {
      y.push_back(reference::synced_batch_norm({x[rank]}, {weights[rank]}, {biases[rank]}, mean,
                                               variance)[0]);
    }
  } else {
    y = reference::synced_batch_norm(x, weights, biases, mean, variance);
  }
  at::Tensor sum = at::zeros({}, c.type);
  for (size_t rank = 0; rank < 2; ++rank) {
    sum = sum + (y[rank] * c.probes_NCHW[rank].to(c.type)).sum();
  }
  torch::autograd::backward({sum}, {});
  for (size_t rank = 0; rank < 2; ++rank) {
    keep_rank(got, c, rank, y[rank], x[rank].grad(), weights[rank].grad(), biases[rank].grad());
  }
  got[c.name + ".running_mean"] = mean;
  got[c.name + ".running_var"] = variance;
  return got;
}

void norm_case(CaseResult& result, const Entry& entry, const Request& request, Path path,
               at::ScalarType type) {
  const Tensors stored = read_tensors(entry.path());
  const auto seed = entry.about.at("seed").get<uint64_t>();
  nn::Parameters names(0, at::kFloat);
  const nn::BatchNorm norm(nn::Scope(names) / "bn", kNormChannels);
  Inputs inputs;
  inputs.weights = procedural_weights(names, seed);
  inputs.weights["apart"] = at::zeros({});
  if (request.mistake) request.mistake(inputs);
  Tensors got;
  for (const auto& [name, sizes] : entry.about.at("sizes").items()) {
    NormCase c{name, {}, {}, inputs.weights, type, inputs.weights.at("apart").item<double>() != 0};
    for (size_t rank = 0; rank < 2; ++rank) {
      const std::vector<int64_t> shape{sizes.at(rank).get<int64_t>(), kNormChannels, 3, 3};
      c.x_NCHW.push_back(procedural_images(fmt::format("x.{}", rank), seed, shape));
      c.probes_NCHW.push_back(procedural_images(fmt::format("probe.{}", rank), seed, shape));
    }
    got.merge(path == Path::kFast ? fast_norm(c) : plain_norm(c));
  }
  compare_detection(result, entry, stored, got, type);
}

}  // namespace

std::vector<CaseResult> detection_region_cases(const Entry& entry, const Request& request) {
  const auto one = entry.stem() == "box_head_tiny"    ? box_head_case
                   : entry.stem() == "mask_head_tiny" ? mask_head_case
                                                      : norm_case;
  return detection_in_two_types(entry, request,
                                [&](CaseResult& result, Path path, at::ScalarType type) {
                                  one(result, entry, request, path, type);
                                });
}

}  // namespace fcm::parity
