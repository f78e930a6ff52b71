// The pyramid (fpn_tiny) and the region proposal network (rpn_tiny) on given maps: outputs,
// gradients, running statistics, labels, losses, proposals.
#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include "fcm/boxes/anchors.h"
#include "fcm/boxes/deltas.h"
#include "fcm/boxes/matcher.h"
#include "fcm/boxes/proposals.h"
#include "fcm/heads/feature_pyramid.h"
#include "fcm/heads/rpn.h"
#include "fcm/loss/detection.h"
#include "reference/detection.h"
#include "reference/detection_boxes.h"
#include "tests/parity/detection_cases.h"
#include "tests/parity/detection_stored.h"
#include "tests/parity/segmentation_head.h"

namespace fcm::parity {
namespace {

std::string level_name(size_t level) { return fmt::format("p{}", level + 2); }

std::vector<at::Tensor> leaves_of(const std::vector<at::Tensor>& maps_BCHW, at::ScalarType type,
                                  bool nhwc) {
  std::vector<at::Tensor> leaves;
  for (const at::Tensor& map : maps_BCHW) {
    const at::Tensor own = nhwc ? own_map(map) : map;
    leaves.push_back(own.to(type, /*non_blocking=*/false, /*copy=*/true).requires_grad_(true));
  }
  return leaves;
}

// A head's weights and its input maps, NCHW.
struct MapCase {
  const Entry& entry;
  Tensors stored;
  uint64_t seed = 0;
  Inputs inputs;
  std::vector<at::Tensor> maps_BCHW;
};

heads::FeaturePyramidOptions pyramid_options(const Entry& entry) {
  const auto dims = entry.about.at("dims").get<std::vector<int64_t>>();
  return {.in = {dims[0], dims[1], dims[2], dims[3]},
          .channels = entry.about.at("out_channels").get<int64_t>()};
}

at::Tensor probed_mean(const std::vector<at::Tensor>& levels_BCHW, uint64_t seed) {
  at::Tensor sum = at::zeros({}, levels_BCHW[0].options());
  for (size_t i = 0; i < levels_BCHW.size(); ++i) {
    const at::Tensor probe =
        procedural_images("probe." + level_name(i), seed, levels_BCHW[i].sizes().vec())
            .to(levels_BCHW[i].scalar_type());
    sum = sum + (levels_BCHW[i] * probe).mean();
  }
  return sum;
}

std::vector<at::Tensor> all_nchw(std::vector<at::Tensor> maps) {
  for (at::Tensor& map : maps) map = published_map(map);
  return maps;
}

void keep_pyramid(Tensors& got, const char* when, const std::vector<at::Tensor>& levels_BCHW) {
  for (size_t i = 0; i < levels_BCHW.size(); ++i) {
    got[when + level_name(i)] = levels_BCHW[i].detach().contiguous();
  }
}

Tensors fast_pyramid(const MapCase& c, at::ScalarType type) {
  Tensors got;
  nn::Parameters parameters(0, type);
  const heads::FeaturePyramid head(nn::Scope(parameters) / "backbone", pyramid_options(c.entry));
  set_weights(parameters, c.inputs.weights);
  const std::vector<at::Tensor> maps = leaves_of(c.maps_BCHW, type, /*nhwc=*/true);
  const std::vector<at::Tensor> levels = all_nchw(head(maps, dist::group_of_one()));
  const at::Tensor loss = probed_mean(levels, c.seed);
  torch::autograd::backward({loss}, {});
  got["loss"] = loss.detach();
  keep_pyramid(got, "train.", levels);
  keep_parameters(got, parameters, "backbone.", "backbone.");
  for (size_t i = 0; i < maps.size(); ++i) {
    got[fmt::format("grad_input.s{}", i)] = published_map(maps[i].grad());
  }
  const at::NoGradGuard no_grad;
  keep_pyramid(got, "eval.", all_nchw(head(maps, nullptr)));
  return got;
}

Tensors plain_pyramid(const MapCase& c, at::ScalarType type) {
  Tensors got;
  const reference::Weights weights = as_type(c.inputs.weights, type);
  const reference::Layers layers(weights, type);
  const std::vector<at::Tensor> maps = leaves_of(c.maps_BCHW, type, /*nhwc=*/false);
  const auto levels = reference::feature_pyramid(layers, "backbone.", maps, /*training=*/true);
  const at::Tensor loss = probed_mean(levels, c.seed);
  torch::autograd::backward({loss}, {});
  got["loss"] = loss.detach();
  keep_pyramid(got, "train.", levels);
  keep_weights(got, weights, "backbone.", "backbone.");
  for (size_t i = 0; i < 4; ++i) {
    // at::batch_norm has no batch counter, so set it to the one batch that ran.
    for (const char* stem : {"fpn_lateral", "fpn_output"}) {
      got[fmt::format("after.{}{}.norm.num_batches_tracked", stem, i + 2)] = at::ones({});
    }
    got[fmt::format("grad_input.s{}", i)] = maps[i].grad();
  }
  const at::NoGradGuard no_grad;
  keep_pyramid(got, "eval.", reference::feature_pyramid(layers, "backbone.", maps, false));
  return got;
}

void pyramid_case(CaseResult& result, const Entry& entry, const Request& request, Path path,
                  at::ScalarType type) {
  MapCase c{
      entry, read_tensors(entry.path()), entry.about.at("weight_seed").get<uint64_t>(), {}, {}};
  const heads::FeaturePyramidOptions options = pyramid_options(entry);
  nn::Parameters names(0, at::kFloat);
  const heads::FeaturePyramid head(nn::Scope(names) / "backbone", options);
  c.inputs.weights = procedural_weights(names, c.seed);
  const auto finest = entry.about.at("finest").get<std::vector<int64_t>>();
  for (size_t i = 0; i < 4; ++i) {
    c.maps_BCHW.push_back(procedural_images(
        fmt::format("features.s{}", i), c.seed,
        {entry.about.at("batch").get<int64_t>(), options.in[i], finest[0] >> i, finest[1] >> i}));
  }
  if (request.mistake) request.mistake(c.inputs);
  compare_detection(result, entry, c.stored,
                    path == Path::kFast ? fast_pyramid(c, type) : plain_pyramid(c, type), type);
}

int64_t number_of(const Entry& entry, const char* key) {
  return entry.about.at(key).get<int64_t>();
}

std::vector<boxes::MapSize> sizes_of(const std::vector<at::Tensor>& maps_BCHW) {
  std::vector<boxes::MapSize> sizes;
  for (const at::Tensor& map : maps_BCHW) sizes.emplace_back(map.size(2), map.size(3));
  return sizes;
}

// The stored indices of the sampled anchors, which are inputs of the case.
boxes::Sampled given_sample(const Tensors& stored, int64_t image) {
  return {stored.at(fmt::format("pos_idx.{}", image)), stored.at(fmt::format("neg_idx.{}", image))};
}

void keep_fast_proposals(Tensors& got, const char* when, size_t which, const MapCase& c,
                         const std::vector<heads::AnchorPredictions>& levels,
                         const boxes::FrameAnchors& anchors, at::ScalarType type) {
  const auto frame_size = c.entry.about.at("image").get<std::vector<int64_t>>();
  boxes::FrameAnchors own = anchors;
  own.boxes_A4 = anchors.boxes_A4.to(type);
  for (int64_t image = 0; image < number_of(c.entry, "batch"); ++image) {
    std::vector<at::Tensor> logits, deltas;
    for (const heads::AnchorPredictions& level : levels) {
      logits.push_back(level.logits_BA[image]);
      deltas.push_back(level.deltas_BA4[image]);
    }
    const boxes::Proposals found =
        boxes::propose(logits, deltas, own, frame_size[0], frame_size[1],
                       {c.entry.about.at("pre_nms_topk").at(which).get<int64_t>(),
                        c.entry.about.at("post_nms_topk").at(which).get<int64_t>(),
                        c.entry.about.at("nms_thresh").get<double>()});
    got[fmt::format("{}.proposals.{}", when, image)] = found.boxes_P4;
    got[fmt::format("{}.objectness.{}", when, image)] = found.logits_P;
  }
}

Tensors fast_rpn(const MapCase& c, at::ScalarType type) {
  Tensors got;
  nn::Parameters parameters(0, type);
  const heads::RpnHead head(nn::Scope(parameters) / "proposal_generator" / "rpn_head",
                            {.channels = number_of(c.entry, "channels")});
  set_weights(parameters, c.inputs.weights);
  const std::vector<at::Tensor> maps = leaves_of(c.maps_BCHW, type, /*nhwc=*/true);
  const std::vector<heads::AnchorPredictions> levels = head(maps);
  const boxes::FrameAnchors anchors = boxes::Anchors().of(sizes_of(c.maps_BCHW));
  const heads::AnchorPredictions all = heads::of_all_levels(levels);
  const int64_t batch = number_of(c.entry, "batch");
  std::vector<loss::AnchorTargets> targets;
  for (int64_t image = 0; image < batch; ++image) {
    const at::Tensor truths = c.inputs.weights.at(fmt::format("gt_boxes.{}", image));
    const boxes::Match match = boxes::match(truths, anchors.boxes_A4, boxes::kAnchorMatch);
    got[fmt::format("labels.{}", image)] = match.label_N;
    const boxes::Sampled sampled = given_sample(c.stored, image);
    const at::Tensor of = match.truth_N.index_select(0, sampled.positive_P);
    targets.push_back({sampled, boxes::encode(anchors.boxes_A4.index_select(0, sampled.positive_P),
                                              truths.index_select(0, of), boxes::kAnchorDeltas)});
  }
  const loss::RpnLosses losses =
      loss::rpn_losses(all.logits_BA, all.deltas_BA4, targets,
                       static_cast<double>(number_of(c.entry, "batch_size_per_image") * batch));
  torch::autograd::backward({losses.objectness + losses.deltas}, {});
  got["loss_rpn_cls"] = losses.objectness.detach();
  got["loss_rpn_loc"] = losses.deltas.detach();
  for (size_t i = 0; i < levels.size(); ++i) {
    const int64_t rows = maps[i].size(1), columns = maps[i].size(2);
    got["logits." + level_name(i)] =
        published_map(levels[i].logits_BA.detach().view({batch, rows, columns, 3}));
    got["deltas." + level_name(i)] =
        published_map(levels[i].deltas_BA4.detach().view({batch, rows, columns, 12}));
    got["grad_input." + level_name(i)] = published_map(maps[i].grad());
  }
  keep_parameters(got, parameters, "proposal_generator.", "");
  keep_fast_proposals(got, "train", 0, c, levels, anchors, type);
  keep_fast_proposals(got, "test", 1, c, levels, anchors, type);
  return got;
}

void keep_plain_proposals(Tensors& got, const char* when, size_t which, const MapCase& c,
                          const std::vector<reference::RpnMaps>& levels,
                          const std::vector<at::Tensor>& anchors) {
  const auto frame_size = c.entry.about.at("image").get<std::vector<int64_t>>();
  const at::NoGradGuard no_grad;
  for (int64_t image = 0; image < number_of(c.entry, "batch"); ++image) {
    std::vector<at::Tensor> logits, decoded;
    for (size_t level = 0; level < levels.size(); ++level) {
      logits.push_back(levels[level].logits()[image]);
      decoded.push_back(
          reference::boxes_at_deltas(levels[level].deltas()[image], anchors[level], {1, 1, 1, 1}));
    }
    const reference::FoundProposals found =
        reference::top_proposals(decoded, logits, frame_size[0], frame_size[1],
                                 c.entry.about.at("pre_nms_topk").at(which).get<int64_t>(),
                                 c.entry.about.at("post_nms_topk").at(which).get<int64_t>(),
                                 c.entry.about.at("nms_thresh").get<double>());
    got[fmt::format("{}.proposals.{}", when, image)] = found.boxes_P4;
    got[fmt::format("{}.objectness.{}", when, image)] = found.logits_P;
  }
}

Tensors plain_rpn(const MapCase& c, at::ScalarType type) {
  Tensors got;
  const reference::Weights weights = as_type(c.inputs.weights, type);
  const reference::Layers layers(weights, type);
  const std::vector<at::Tensor> maps = leaves_of(c.maps_BCHW, type, /*nhwc=*/false);
  std::vector<reference::RpnMaps> levels;
  std::vector<at::Tensor> anchors, logits, deltas, labels, targets;
  for (size_t i = 0; i < maps.size(); ++i) {
    levels.push_back(reference::rpn_head(layers, "proposal_generator.rpn_head.", maps[i]));
    logits.push_back(levels[i].logits());
    deltas.push_back(levels[i].deltas());
    anchors.push_back(reference::anchors_of_map(maps[i].size(2), maps[i].size(3), int64_t{4} << i,
                                                static_cast<double>(32 << i)));
    got["logits." + level_name(i)] = levels[i].logits_BAHW.detach();
    got["deltas." + level_name(i)] = levels[i].deltas_BDHW.detach();
  }
  const at::Tensor all_anchors = at::cat(anchors);
  for (at::Tensor& of_level : anchors) of_level = of_level.to(type);
  for (int64_t image = 0; image < number_of(c.entry, "batch"); ++image) {
    const at::Tensor truths = c.inputs.weights.at(fmt::format("gt_boxes.{}", image));
    const reference::MatchedBoxes match = reference::matched_boxes(
        reference::overlap_matrix(truths, all_anchors), 0.3, 0.7, /*low_quality=*/true);
    got[fmt::format("labels.{}", image)] = match.label_N;
    const boxes::Sampled sampled = given_sample(c.stored, image);
    at::Tensor label = at::full_like(match.label_N, -1);
    label.index_fill_(0, sampled.positive_P, 1).index_fill_(0, sampled.negative_Q, 0);
    labels.push_back(label);
    targets.push_back(truths.size(0) == 0
                          ? at::zeros_like(all_anchors)
                          : reference::deltas_between(
                                all_anchors, truths.index_select(0, match.truth_N), {1, 1, 1, 1}));
  }
  const reference::RpnLossPair losses = reference::rpn_losses(
      at::cat(logits, 1), at::cat(deltas, 1), at::stack(labels), at::stack(targets),
      static_cast<double>(number_of(c.entry, "batch_size_per_image")));
  torch::autograd::backward({losses.objectness + losses.deltas}, {});
  got["loss_rpn_cls"] = losses.objectness.detach();
  got["loss_rpn_loc"] = losses.deltas.detach();
  for (size_t i = 0; i < maps.size(); ++i) got["grad_input." + level_name(i)] = maps[i].grad();
  keep_weights(got, weights, "proposal_generator.", "");
  keep_plain_proposals(got, "train", 0, c, levels, anchors);
  keep_plain_proposals(got, "test", 1, c, levels, anchors);
  return got;
}

void rpn_case(CaseResult& result, const Entry& entry, const Request& request, Path path,
              at::ScalarType type) {
  MapCase c{
      entry, read_tensors(entry.path()), entry.about.at("weight_seed").get<uint64_t>(), {}, {}};
  nn::Parameters names(0, at::kFloat);
  const heads::RpnHead head(nn::Scope(names) / "proposal_generator" / "rpn_head",
                            {.channels = number_of(entry, "channels")});
  c.inputs.weights = procedural_weights(names, c.seed);
  // The set's README scales these weights by a quarter, so that boxes stay near their anchors.
  at::Tensor& deltas = c.inputs.weights.at("proposal_generator.rpn_head.anchor_deltas.weight");
  deltas = deltas * 0.25;
  for (int64_t image = 0; image < number_of(entry, "batch"); ++image) {
    const std::string name = fmt::format("gt_boxes.{}", image);
    c.inputs.weights[name] = c.stored.at(name);
  }
  for (size_t level = 0; level < 5; ++level) {
    const at::Tensor& logits = c.stored.at("logits." + level_name(level));
    c.maps_BCHW.push_back(procedural_images(
        "features." + level_name(level), c.seed,
        {logits.size(0), number_of(entry, "channels"), logits.size(2), logits.size(3)}));
  }
  if (request.mistake) request.mistake(c.inputs);
  compare_detection(result, entry, c.stored,
                    path == Path::kFast ? fast_rpn(c, type) : plain_rpn(c, type), type,
                    {"gt_boxes.", "pos_idx.", "neg_idx."});
}

}  // namespace

std::vector<CaseResult> detection_map_cases(const Entry& entry, const Request& request) {
  const auto one = entry.stem() == "fpn_tiny" ? pyramid_case : rpn_case;
  return detection_in_two_types(entry, request,
                                [&](CaseResult& result, Path path, at::ScalarType type) {
                                  one(result, entry, request, path, type);
                                });
}

}  // namespace fcm::parity
