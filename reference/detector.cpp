#include "reference/detector.h"

#include <ATen/ATen.h>

#include <string>

#include "fcm/base/error.h"
#include "reference/detection.h"
#include "reference/detection_boxes.h"
#include "reference/layers.h"

namespace fcm::reference {
namespace {

constexpr FourWeights kOfAnchors{1, 1, 1, 1}, kOfRegions{10, 10, 5, 5};
constexpr size_t kCutLevels = 4;  // p2 to p5
constexpr int64_t kBoxCells = 7, kMaskCells = 14;

std::vector<at::Tensor> pyramid_of(const Layers& layers, const Weights& weights,
                                   const DetectorOptions& options, const at::Tensor& images_BCHW,
                                   const nn::DropPath& drop_path, bool training,
                                   const nn::Observer& observer) {
  const std::string place = options.decomposed ? "backbone.net." : "backbone.bottom_up.";
  std::vector<at::Tensor> maps =
      detector_backbone(weights, options, place, images_BCHW, drop_path, observer);
  if (options.kind == Kind::kVit) maps = vit_adaptor(layers, place, maps);
  maps = options.decomposed ? simple_pyramid(layers, "backbone.", maps.back())
                            : feature_pyramid(layers, "backbone.", maps, training);
  for (size_t i = 0; i < maps.size(); ++i) {
    if (observer) observer("p" + std::to_string(i + 2), maps[i]);
  }
  return maps;
}

// Anchors of each level, in the dtype of the deltas.
std::vector<at::Tensor> anchors_of(const std::vector<at::Tensor>& maps,
                                   const DetectorOptions& options, at::ScalarType type) {
  std::vector<at::Tensor> levels;
  for (size_t i = 0; i < maps.size(); ++i) {
    const int64_t stride = options.strides[i];
    levels.push_back(
        anchors_of_map(maps[i].size(2), maps[i].size(3), stride, 8 * static_cast<double>(stride))
            .to(maps[i].device(), type));
  }
  return levels;
}

std::vector<FoundProposals> proposals_of(const std::vector<RpnMaps>& levels,
                                         const std::vector<at::Tensor>& anchors,
                                         const std::pair<int64_t, int64_t>& counts, int64_t rows,
                                         int64_t cols, const nn::Observer& observer) {
  const at::NoGradGuard no_grad;
  std::vector<FoundProposals> of_images;
  for (int64_t image = 0; image < levels[0].logits_BAHW.size(0); ++image) {
    std::vector<at::Tensor> boxes, logits;
    for (size_t level = 0; level < levels.size(); ++level) {
      const at::Tensor deltas_A4 = levels[level].deltas()[image].to(anchors[level].scalar_type());
      boxes.push_back(boxes_at_deltas(deltas_A4, anchors[level], kOfAnchors));
      logits.push_back(levels[level].logits()[image]);
    }
    of_images.push_back(top_proposals(boxes, logits, rows, cols, counts.first, counts.second, 0.7));
    nn::observe(observer, "proposals", image, of_images.back().boxes_P4);
    nn::observe(observer, "objectness", image, of_images.back().logits_P);
  }
  return of_images;
}

// [R, C, bins, bins]: each region from the level that its size selects.
at::Tensor region_features(const std::vector<at::Tensor>& maps, const DetectorOptions& options,
                           const at::Tensor& boxes_R4, const at::Tensor& image_R, int64_t bins) {
  const at::Tensor sides_RD = boxes_R4.slice(1, 2, 4) - boxes_R4.slice(1, 0, 2);
  const at::Tensor side_R = (sides_RD.select(1, 0) * sides_RD.select(1, 1)).sqrt();
  const at::Tensor level_R =
      (4 + (side_R / 224 + 1e-8).log2()).floor().clamp(2, 5).to(at::kLong) - 2;
  at::Tensor pooled = at::zeros({boxes_R4.size(0), maps[0].size(1), bins, bins}, maps[0].options());
  for (size_t level = 0; level < kCutLevels; ++level) {
    const at::Tensor here = level_R.eq(static_cast<int64_t>(level)).nonzero().squeeze(1);
    if (here.size(0) == 0) continue;
    const at::Tensor cut =
        roi_align(maps[level], boxes_R4.index_select(0, here), image_R.index_select(0, here),
                  1.0 / static_cast<double>(options.strides[level]), bins);
    pooled = pooled.index_put({here}, cut.to(pooled.scalar_type()));
  }
  return pooled;
}

struct SampledRegions {
  at::Tensor boxes_R4, image_R, classes_R, truths_R4, truth_R, foreground_F;
  std::vector<int64_t> foreground;
};

SampledRegions sampled_regions(const std::vector<FoundProposals>& proposals,
                               const std::vector<LabelledFrame>& labelled, int64_t classes,
                               const DetectorTrainingDraws& draws) {
  const at::NoGradGuard no_grad;
  SampledRegions all;
  std::vector<at::Tensor> boxes, images, numbers, truths, indices, foreground;
  int64_t before = 0;
  for (size_t i = 0; i < labelled.size(); ++i) {
    const at::Tensor truth_T4 = labelled[i].boxes_T4.to(proposals[i].boxes_P4.scalar_type());
    const at::Tensor candidates_N4 = at::cat({proposals[i].boxes_P4, truth_T4});
    const MatchedBoxes match =
        matched_boxes(overlap_matrix(truth_T4, candidates_N4), 0.5, 0.5, false);
    const auto [positive, negative] = draws.regions(static_cast<int64_t>(i), match.label_N);
    const at::Tensor chosen = at::cat({positive, negative});
    const at::Tensor truth_R = match.truth_N.index_select(0, chosen);
    const at::Tensor boxes_R4 = candidates_N4.index_select(0, chosen);
    const int64_t count = chosen.size(0), objects = positive.size(0);
    at::Tensor class_R = at::full({count}, classes, chosen.options());
    if (truth_T4.size(0) > 0) {
      class_R.narrow(0, 0, objects)
          .copy_(labelled[i].classes_T.index_select(0, truth_R.narrow(0, 0, objects)));
    }
    truths.push_back(truth_T4.size(0) > 0 ? truth_T4.index_select(0, truth_R) : boxes_R4);
    boxes.push_back(boxes_R4);
    indices.push_back(truth_R);
    numbers.push_back(class_R);
    images.push_back(at::full({count}, static_cast<int64_t>(i), chosen.options()));
    foreground.push_back(at::arange(before, before + objects, chosen.options()));
    all.foreground.push_back(objects);
    before += count;
  }
  all.boxes_R4 = at::cat(boxes);
  all.image_R = at::cat(images);
  all.classes_R = at::cat(numbers);
  all.truths_R4 = at::cat(truths);
  all.truth_R = at::cat(indices);
  all.foreground_F = at::cat(foreground);
  return all;
}

// Labels and target deltas of all anchors after sampling; anchors that were not chosen get -1.
std::pair<at::Tensor, at::Tensor> anchor_targets(const at::Tensor& anchors_A4,
                                                 const std::vector<LabelledFrame>& labelled,
                                                 const DetectorTrainingDraws& draws) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> labels, targets;
  for (size_t i = 0; i < labelled.size(); ++i) {
    const at::Tensor truth_T4 = labelled[i].boxes_T4.to(anchors_A4.scalar_type());
    const MatchedBoxes match = matched_boxes(overlap_matrix(truth_T4, anchors_A4), 0.3, 0.7, true);
    const auto [positive, negative] = draws.anchors(static_cast<int64_t>(i), match.label_N);
    at::Tensor label_A = at::full({anchors_A4.size(0)}, -1, positive.options());
    label_A.index_fill_(0, positive, 1).index_fill_(0, negative, 0);
    labels.push_back(label_A);
    targets.push_back(
        truth_T4.size(0) > 0
            ? deltas_between(anchors_A4, truth_T4.index_select(0, match.truth_N), kOfAnchors)
            : at::zeros_like(anchors_A4));
  }
  return {at::stack(labels), at::stack(targets)};
}

}  // namespace

DetectorLosses detector_losses(const Weights& weights, const DetectorOptions& options,
                               const at::Tensor& images_BCHW,
                               const std::vector<LabelledFrame>& labelled,
                               const DetectorTrainingDraws& draws, const nn::Observer& observer) {
  const Layers layers(weights, options.compute);
  const std::vector<at::Tensor> maps =
      pyramid_of(layers, weights, options, images_BCHW, draws.drop_path, true, observer);
  std::vector<RpnMaps> levels;
  std::vector<at::Tensor> logits, deltas;
  for (const at::Tensor& map : maps) {
    levels.push_back(rpn_head(layers, "proposal_generator.rpn_head.", map));
    logits.push_back(levels.back().logits());
    deltas.push_back(levels.back().deltas());
  }
  const at::ScalarType type = deltas[0].scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const std::vector<at::Tensor> anchors = anchors_of(maps, options, type);
  const int64_t rows = images_BCHW.size(2), cols = images_BCHW.size(3);
  const SampledRegions regions = sampled_regions(
      proposals_of(levels, anchors, options.training_proposals, rows, cols, observer), labelled,
      options.classes, draws);
  const auto [labels_BA, targets_BA4] = anchor_targets(at::cat(anchors), labelled, draws);
  const RpnLossPair rpn = rpn_losses(at::cat(logits, 1), at::cat(deltas, 1), labels_BA, targets_BA4,
                                     static_cast<double>(options.sampled_anchors));
  const BoxHeadResult box =
      box_head(layers, "roi_heads.",
               region_features(maps, options, regions.boxes_R4, regions.image_R, kBoxCells), true);
  if (observer) observer("box_scores", box.scores_RC);
  if (observer) observer("box_deltas", box.deltas_RD);
  const BoxLossPair of_box =
      box_losses(box.scores_RC, box.deltas_RD, regions.classes_R,
                 deltas_between(regions.boxes_R4, regions.truths_R4, kOfRegions));

  const at::Tensor& foreground_F = regions.foreground_F;
  const at::Tensor boxes_F4 = regions.boxes_R4.index_select(0, foreground_F);
  const at::Tensor logits_FKSS =
      mask_head(layers, "roi_heads.mask_head.",
                region_features(maps, options, boxes_F4,
                                regions.image_R.index_select(0, foreground_F), kMaskCells),
                true);
  std::vector<at::Tensor> targets;
  int64_t first = 0;
  for (size_t i = 0; i < labelled.size(); ++i) {
    const int64_t count = regions.foreground[i];
    if (count > 0) {
      targets.push_back(
          draws.masks(static_cast<int64_t>(i), boxes_F4.narrow(0, first, count),
                      regions.truth_R.index_select(0, foreground_F.narrow(0, first, count))));
    }
    first += count;
  }
  const at::Tensor classes_F = regions.classes_R.index_select(0, foreground_F);
  if (observer) {
    observer("mask_logits", logits_FKSS.index({at::arange(first, classes_F.options()), classes_F}));
  }
  return {rpn.objectness, rpn.deltas, of_box.classes, of_box.deltas,
          targets.empty() ? logits_FKSS.sum() * 0
                          : mask_loss(logits_FKSS, classes_F, at::cat(targets))};
}

std::vector<FoundObjects> find_objects(const Weights& weights, const DetectorOptions& options,
                                       const at::Tensor& images_BCHW,
                                       const nn::Observer& observer) {
  const at::NoGradGuard no_grad;
  const Layers layers(weights, options.compute);
  const std::vector<at::Tensor> maps =
      pyramid_of(layers, weights, options, images_BCHW, {}, false, observer);
  std::vector<RpnMaps> levels;
  for (const at::Tensor& map : maps) {
    levels.push_back(rpn_head(layers, "proposal_generator.rpn_head.", map));
  }
  const at::ScalarType type =
      levels[0].deltas_BDHW.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const int64_t rows = images_BCHW.size(2), cols = images_BCHW.size(3);
  const std::vector<FoundProposals> proposals = proposals_of(
      levels, anchors_of(maps, options, type), options.testing_proposals, rows, cols, observer);
  std::vector<FoundObjects> found;
  for (int64_t i = 0; i < images_BCHW.size(0); ++i) {
    const at::Tensor& regions_P4 = proposals[static_cast<size_t>(i)].boxes_P4;
    const auto here = [&](const at::Tensor& boxes_R4) {
      return at::full({boxes_R4.size(0)}, i, boxes_R4.options().dtype(at::kLong));
    };
    const BoxHeadResult box =
        box_head(layers, "roi_heads.",
                 region_features(maps, options, regions_P4, here(regions_P4), kBoxCells), false);
    const at::Tensor boxes_PD = boxes_at_deltas(box.deltas_RD.to(type), regions_P4, kOfRegions);
    const FoundDetections best = box_inference(boxes_PD, box.scores_RC.to(type).softmax(1), rows,
                                               cols, options.least_score, 0.5, options.detections);
    const at::Tensor masks_NKSS = mask_head(
        layers, "roi_heads.mask_head.",
        region_features(maps, options, best.boxes_D4, here(best.boxes_D4), kMaskCells), false);
    const at::Tensor own_NSS = masks_NKSS.index(
        {at::arange(best.classes_D.size(0), best.classes_D.options()), best.classes_D});
    found.push_back({best.boxes_D4, best.scores_D, best.classes_D, own_NSS.sigmoid()});
  }
  return found;
}

}  // namespace fcm::reference
