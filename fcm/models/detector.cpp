#include "fcm/models/detector.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "fcm/base/error.h"
#include "fcm/boxes/deltas.h"
#include "fcm/boxes/detections.h"
#include "fcm/boxes/matcher.h"
#include "fcm/loss/detection.h"
#include "fcm/ops/roi_align/op.h"

namespace fcm::models {
namespace {

constexpr int64_t kLevels = 5;       // p2 to p6
constexpr size_t kRegionLevels = 4;  // regions are pooled from p2 to p5
constexpr int64_t kBoxBins = 7, kMaskBins = 14;
constexpr double kSideOfAnchors = 8;  // in units of the stride of the pyramid level

std::array<int64_t, 4> backbone_channels(const DetectorBackboneOptions& options) {
  const std::vector<int64_t>& dims = options.encoder.dims;
  if (dims.size() == 1) return {dims[0], dims[0], dims[0], dims[0]};
  if (dims.size() == 3) return {dims[0], dims[1], dims[2], dims[2]};
  require(dims.size() == 4, "a detector's encoder: expected 1, 3 or 4 stages, got {}", dims.size());
  return {dims[0], dims[1], dims[2], dims[3]};
}

boxes::AnchorOptions anchor_options(const std::vector<int64_t>& strides) {
  boxes::AnchorOptions options;
  options.strides = strides;
  options.sides.clear();
  for (const int64_t stride : strides) {
    options.sides.push_back(kSideOfAnchors * static_cast<double>(stride));
  }
  return options;
}

}  // namespace

Detector::Detector(const DetectorOptions& options, uint64_t seed, const at::TensorOptions& held)
    : options_(options), parameters_(std::make_unique<nn::Parameters>(seed, held)) {
  const DetectorBackboneOptions& of_backbone = options.backbone;
  const bool decomposed = of_backbone.form == BackboneForm::kDecomposed;
  const int64_t dim = of_backbone.encoder.dims.back();
  const nn::Scope scope(*parameters_), backbone = scope / "backbone";
  const nn::Scope bottom_up = backbone / backbone_place(of_backbone.form);
  nn::MapNormOptions of_regions = heads::kRegionNorm;
  if (decomposed) {
    simple_pyramid_.emplace(backbone, heads::SimplePyramidOptions{dim, options.channels});
    of_regions.kind = nn::MapNormOptions::Kind::kLayer;
  } else {
    pyramid_.emplace(backbone, heads::FeaturePyramidOptions{
                                   backbone_channels(of_backbone), options.channels, {}});
  }
  backbone_ = std::make_unique<DetectorBackbone>(bottom_up, of_backbone);
  if (of_backbone.kind == "vit") adaptor_.emplace(bottom_up, dim);
  rpn_.emplace(scope / "proposal_generator" / "rpn_head", heads::RpnOptions{options.channels, 3});
  const nn::Scope regions = scope / "roi_heads";
  box_.emplace(regions, heads::BoxHeadOptions{options.channels, kBoxBins, options.box_features,
                                              options.classes, of_regions});
  mask_.emplace(regions / "mask_head",
                heads::MaskHeadOptions{options.channels, options.classes, of_regions});
  parameters_->flatten();
  // The stride of p2 is that of a Swin's first map, else a quarter of the patch side.
  const int64_t finest = of_backbone.kind == "swin"
                             ? backbone_->map_strides().front()
                             : std::max<int64_t>(1, backbone_->geometry().patch_side() / 4);
  for (int64_t level = 0; level < kLevels; ++level) strides_.push_back(finest << level);
  anchors_ = std::make_unique<boxes::Anchors>(anchor_options(strides_));
}

masks::Grid Detector::positions_grid() const {
  // Official-ConvMAE-Det keeps the table of pretraining, on images of 224 pixels.
  constexpr int64_t kPretrained = 14;
  if (options_.backbone.form == BackboneForm::kDecomposed) return {kPretrained, kPretrained};
  return backbone_->grid();
}

nn::LayerOf Detector::layer_of() const {
  const std::string prefix = fmt::format("backbone.{}.", backbone_place(options_.backbone.form));
  return [prefix, of_backbone = backbone_->layer_of()](std::string_view name) {
    if (name.starts_with(prefix)) return of_backbone(name.substr(prefix.size()));
    nn::Layer last = of_backbone("");
    last.index = last.last;
    return last;
  };
}

Detector::Draws Detector::draw(uint64_t seed, uint64_t step,
                               std::span<const int64_t> sample_ids) const {
  Draws draws{backbone_->draw(seed, step, sample_ids, device()), {}, {}};
  for (const int64_t id : sample_ids) {
    const auto sample = static_cast<uint64_t>(id);
    draws.anchors.push_back(boxes::keyed_choice(seed, Purpose::kAnchors, step, sample));
    draws.regions.push_back(boxes::keyed_choice(seed, Purpose::kRegions, step, sample));
  }
  return draws;
}

std::vector<std::pair<std::string, at::Tensor>> Detector::Losses::named() const {
  return {{"rpn_cls", rpn_class},
          {"rpn_loc", rpn_box},
          {"cls", box_class},
          {"box_reg", box_deltas},
          {"mask", mask}};
}

std::vector<at::Tensor> Detector::pyramid(const at::Tensor& pixels_BLPD,
                                          const masks::ViewPlan& plan, at::ScalarType compute,
                                          const nn::DropPath& drop_path, const nn::Ranks& ranks,
                                          const nn::Observer& observer) const {
  parameters_->round(compute);
  std::vector<at::Tensor> maps =
      (*backbone_)(pixels_BLPD.to(compute), plan, compute, drop_path, observer);
  if (adaptor_) maps = (*adaptor_)(maps);
  maps = pyramid_ ? (*pyramid_)(maps, ranks) : (*simple_pyramid_)(maps.back());
  for (size_t i = 0; i < maps.size(); ++i) {
    if (observer) observer(fmt::format("p{}", i + 2), maps[i]);
  }
  return maps;
}

boxes::FrameAnchors Detector::anchors_of(const std::vector<at::Tensor>& maps,
                                         at::ScalarType type) const {
  std::vector<boxes::MapSize> sizes;
  for (const at::Tensor& map : maps) sizes.emplace_back(map.size(1), map.size(2));
  boxes::FrameAnchors anchors = anchors_->of(sizes, device());
  anchors.boxes_A4 = anchors.boxes_A4.to(type);
  return anchors;
}

std::vector<boxes::Proposals> Detector::proposals(
    const std::vector<heads::AnchorPredictions>& levels, const boxes::FrameAnchors& anchors,
    const DetectorOptions::ProposalCounts& counts, const nn::Observer& observer) const {
  const at::NoGradGuard no_grad;
  boxes::ProposalOptions wanted = boxes::kTrainingProposals;
  wanted.per_level = counts.per_level;
  wanted.kept = counts.kept;
  std::vector<boxes::Proposals> of_images;
  const int64_t batch = levels.front().logits_BA.size(0);
  for (int64_t image = 0; image < batch; ++image) {
    std::vector<at::Tensor> logits, deltas;
    for (const heads::AnchorPredictions& level : levels) {
      logits.push_back(level.logits_BA[image].detach());
      deltas.push_back(level.deltas_BA4[image].detach());
    }
    of_images.push_back(boxes::propose(logits, deltas, anchors, options_.backbone.rows,
                                       options_.backbone.cols, wanted));
    nn::observe(observer, "proposals", image, of_images.back().boxes_P4);
    nn::observe(observer, "objectness", image, of_images.back().logits_P);
  }
  return of_images;
}

// RoIAlign on the maps p2 to p5: [R, bins, bins, C].
at::Tensor Detector::region_features(const std::vector<at::Tensor>& maps,
                                     const at::Tensor& boxes_R4, const at::Tensor& image_R,
                                     int64_t bins) const {
  std::vector<double> scales;
  for (size_t level = 0; level < kRegionLevels; ++level) {
    scales.push_back(1.0 / static_cast<double>(strides_[level]));
  }
  return ops::roi_align({maps.begin(), maps.begin() + kRegionLevels}, boxes_R4, image_R,
                        ops::pyramid_levels(boxes_R4.to(at::kFloat)), scales, bins);
}

struct Detector::Regions {
  at::Tensor boxes_R4, image_R;
  loss::RegionTargets targets;
  at::Tensor truth_R;                    // index of the image's truth with the largest IoU
  std::vector<int64_t> foreground, all;  // counts per image; foreground regions come first
  at::Tensor foreground_F;               // indices of regions
};

Detector::Regions Detector::sampled_regions(const std::vector<boxes::Proposals>& proposals,
                                            const std::vector<FrameTruth>& truths,
                                            const Draws& draws) const {
  const at::NoGradGuard no_grad;
  const boxes::SampleOptions wanted{options_.sampled_regions, options_.sampled_regions / 4};
  Regions regions;
  std::vector<at::Tensor> taken_boxes, images, classes, matched_boxes, matched, foreground;
  int64_t before = 0;
  for (size_t i = 0; i < truths.size(); ++i) {
    const FrameTruth& truth = truths[i];
    // Ground-truth boxes are candidates too, so that an image with objects always has positives.
    const at::Tensor candidates_N4 =
        at::cat({proposals[i].boxes_P4, truth.boxes_T4.to(proposals[i].boxes_P4.scalar_type())});
    const boxes::Match match = boxes::match(truth.boxes_T4.to(at::kFloat),
                                            candidates_N4.to(at::kFloat), boxes::kRegionMatch);
    const boxes::Sampled sampled = boxes::sample(match.label_N, wanted, draws.regions[i]);
    const at::Tensor chosen_R = at::cat({sampled.positive_P, sampled.negative_Q});
    const int64_t positives = sampled.positive_P.size(0), count = chosen_R.size(0);
    const at::Tensor truth_R = match.truth_N.index_select(0, chosen_R);
    at::Tensor class_R = at::full({count}, options_.classes, truth.classes_T.options());
    at::Tensor boxes_R4 = candidates_N4.index_select(0, chosen_R), truths_R4 = boxes_R4;
    if (truth.boxes_T4.size(0) > 0) {
      class_R.narrow(0, 0, positives)
          .copy_(truth.classes_T.index_select(0, truth_R.narrow(0, 0, positives)));
      truths_R4 = truth.boxes_T4.to(boxes_R4.scalar_type()).index_select(0, truth_R);
    }
    taken_boxes.push_back(boxes_R4);
    matched_boxes.push_back(truths_R4);
    matched.push_back(truth_R);
    classes.push_back(class_R);
    images.push_back(at::full({count}, static_cast<int64_t>(i), truth.classes_T.options()));
    foreground.push_back(at::arange(before, before + positives, truth.classes_T.options()));
    regions.foreground.push_back(positives);
    regions.all.push_back(count);
    before += count;
  }
  regions.boxes_R4 = at::cat(taken_boxes);
  regions.image_R = at::cat(images);
  regions.truth_R = at::cat(matched);
  regions.targets = {at::cat(classes), regions.boxes_R4, at::cat(matched_boxes)};
  regions.foreground_F = at::cat(foreground);
  return regions;
}

namespace {

// The anchors' targets for each image. Matching always runs in float32: several anchors may overlap
// an object equally except for rounding, and the choice among them must not depend on the dtype.
std::vector<loss::AnchorTargets> anchor_targets(const at::Tensor& anchors_A4,
                                                const std::vector<FrameTruth>& truths,
                                                const std::vector<boxes::Choice>& choices,
                                                int64_t sampled) {
  const at::NoGradGuard no_grad;
  std::vector<loss::AnchorTargets> targets;
  for (size_t i = 0; i < truths.size(); ++i) {
    const at::Tensor truths_T4 = truths[i].boxes_T4.to(anchors_A4.scalar_type());
    const boxes::Match match = boxes::match(truths[i].boxes_T4.to(at::kFloat),
                                            anchors_A4.to(at::kFloat), boxes::kAnchorMatch);
    loss::AnchorTargets one;
    one.sampled = boxes::sample(match.label_N, {sampled, sampled / 2}, choices[i]);
    const at::Tensor& positive_P = one.sampled.positive_P;
    const at::Tensor sources_P4 = anchors_A4.index_select(0, positive_P);
    one.deltas_P4 =
        positive_P.size(0) == 0
            ? sources_P4
            : boxes::encode(sources_P4,
                            truths_T4.index_select(0, match.truth_N.index_select(0, positive_P)),
                            boxes::kAnchorDeltas);
    targets.push_back(std::move(one));
  }
  return targets;
}

// Counts over all ranks: images, regions, foreground regions.
struct PassCounts {
  double images = 0, regions = 0, foreground = 0;
};

PassCounts counts_of_pass(int64_t images, int64_t regions, int64_t foreground, dist::Group& group) {
  const at::Tensor counts = at::tensor({images, regions, foreground}, at::kLong);
  group.sum(counts);
  const auto* count = counts.const_data_ptr<int64_t>();
  return {static_cast<double>(count[0]), static_cast<double>(count[1]),
          static_cast<double>(count[2])};
}

}  // namespace

Detector::Losses Detector::train(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan,
                                 at::ScalarType compute, const Draws& draws,
                                 const std::vector<FrameTruth>& truths,
                                 const MaskTargets& mask_targets,
                                 const std::shared_ptr<dist::Group>& group,
                                 const nn::Observer& observer) {
  require(
      std::ssize(truths) == pixels_BLPD.size(0) && draws.anchors.size() == truths.size() &&
          draws.regions.size() == truths.size(),
      "Detector: expected truths and draws for every image, got {} images, {} truths, draws for "
      "{} and {}",
      pixels_BLPD.size(0), truths.size(), draws.anchors.size(), draws.regions.size());
  const std::vector<at::Tensor> maps =
      pyramid(pixels_BLPD, plan, compute, draws.drop_path, group, observer);
  const std::vector<heads::AnchorPredictions> levels = (*rpn_)(maps);
  const boxes::FrameAnchors anchors = anchors_of(maps, levels.front().deltas_BA4.scalar_type());
  const std::vector<boxes::Proposals> proposed =
      proposals(levels, anchors, options_.training_proposals, observer);
  const Regions regions = sampled_regions(proposed, truths, draws);
  const at::Tensor& foreground_F = regions.foreground_F;
  const PassCounts counts =
      counts_of_pass(std::ssize(truths), regions.boxes_R4.size(0), foreground_F.size(0), *group);

  Losses losses;
  losses.images = static_cast<int64_t>(counts.images);
  for (const boxes::Proposals& one : proposed) losses.non_finite_count += one.non_finite_count;
  const heads::AnchorPredictions all = heads::of_all_levels(levels);
  const loss::RpnLosses rpn = loss::rpn_losses(
      all.logits_BA, all.deltas_BA4,
      anchor_targets(anchors.boxes_A4, truths, draws.anchors, options_.sampled_anchors),
      static_cast<double>(options_.sampled_anchors) * counts.images);
  losses.rpn_class = rpn.objectness;
  losses.rpn_box = rpn.deltas;

  const heads::BoxPredictions box =
      (*box_)(region_features(maps, regions.boxes_R4, regions.image_R, kBoxBins), group);
  if (observer) {
    observer("box_scores", box.scores_RC);
    observer("box_deltas", box.deltas_RD);
  }
  const loss::BoxLosses of_box =
      loss::box_losses(box.scores_RC, box.deltas_RD, regions.targets, counts.regions);
  losses.box_class = of_box.classes;
  losses.box_deltas = of_box.deltas;

  const at::Tensor boxes_F4 = regions.boxes_R4.index_select(0, foreground_F);
  const at::Tensor logits_FSS = (*mask_)(
      region_features(maps, boxes_F4, regions.image_R.index_select(0, foreground_F), kMaskBins),
      regions.targets.classes_R.index_select(0, foreground_F), group);
  if (observer) observer("mask_logits", logits_FSS);
  std::vector<at::Tensor> targets;
  int64_t first = 0;
  for (size_t i = 0; i < truths.size(); ++i) {
    const int64_t count = regions.foreground[i];
    if (count > 0) {
      const at::Tensor truths_M =
          regions.truth_R.index_select(0, foreground_F.narrow(0, first, count));
      targets.push_back(
          mask_targets(static_cast<int64_t>(i), boxes_F4.narrow(0, first, count), truths_M));
    }
    first += count;
  }
  losses.mask = loss::mask_loss(
      logits_FSS, targets.empty() ? at::zeros_like(logits_FSS).detach() : at::cat(targets),
      counts.foreground);
  return losses;
}

std::vector<Detections> Detector::detect(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan,
                                         at::ScalarType compute,
                                         const nn::Observer& observer) const {
  const at::NoGradGuard no_grad;
  const std::vector<at::Tensor> maps = pyramid(pixels_BLPD, plan, compute, {}, nullptr, observer);
  const std::vector<heads::AnchorPredictions> levels = (*rpn_)(maps);
  const std::vector<boxes::Proposals> proposed =
      proposals(levels, anchors_of(maps, levels.front().deltas_BA4.scalar_type()),
                options_.testing_proposals, observer);
  const auto images = std::ssize(proposed);
  const auto in_image = [&](int64_t image, int64_t count) {
    return at::full({count}, image, at::TensorOptions(at::kLong).device(device()));
  };
  std::vector<at::Tensor> regions, of_image;
  for (int64_t i = 0; i < images; ++i) {
    regions.push_back(proposed[static_cast<size_t>(i)].boxes_P4);
    of_image.push_back(in_image(i, regions.back().size(0)));
  }
  const heads::BoxPredictions box =
      (*box_)(region_features(maps, at::cat(regions), at::cat(of_image), kBoxBins), nullptr);
  const at::Tensor probabilities_RC = box.scores_RC.softmax(1);
  const boxes::DetectionOptions wanted{options_.least_score, boxes::DetectionOptions{}.overlap,
                                       options_.detections};
  std::vector<boxes::Detections> found;
  of_image.clear();
  std::vector<at::Tensor> found_boxes, found_classes;
  int64_t first = 0;
  for (int64_t i = 0; i < images; ++i) {
    const at::Tensor& regions_P4 = regions[static_cast<size_t>(i)];
    const int64_t count = regions_P4.size(0);
    found.push_back(boxes::detect(probabilities_RC.narrow(0, first, count),
                                  box.deltas_RD.narrow(0, first, count), regions_P4,
                                  options_.backbone.rows, options_.backbone.cols, wanted));
    found_boxes.push_back(found.back().boxes_D4);
    found_classes.push_back(found.back().classes_D);
    of_image.push_back(in_image(i, found.back().boxes_D4.size(0)));
    first += count;
  }
  const at::Tensor masks_NSS =
      (*mask_)(region_features(maps, at::cat(found_boxes), at::cat(of_image), kMaskBins),
               at::cat(found_classes), nullptr)
          .sigmoid();
  std::vector<Detections> detections;
  first = 0;
  for (const boxes::Detections& one : found) {
    const int64_t count = one.boxes_D4.size(0);
    detections.push_back(
        {one.boxes_D4, one.scores_D, one.classes_D, masks_NSS.narrow(0, first, count)});
    first += count;
  }
  return detections;
}

namespace {

// The cost of the pyramid and the heads for one image.
nn::Cost detection_heads_cost(const DetectorOptions& options) {
  const auto of = [](int64_t count) { return static_cast<double>(count); };
  const DetectorBackboneOptions& backbone = options.backbone;
  const ops::PatchGeometry geometry{backbone.encoder.strides};
  const double patches =
      of(backbone.rows / geometry.patch_side()) * of(backbone.cols / geometry.patch_side());
  const std::array<double, 5> cells{16 * patches, 4 * patches, patches, patches / 4, patches / 16};
  const std::array<int64_t, 4> in = backbone_channels(backbone);
  const double c = of(options.channels), k = of(options.classes), taps = 9;
  const double regions = of(options.sampled_regions), masks = regions / 4, bins = 49, square = 196;
  nn::Cost sum;
  for (size_t level = 0; level < cells.size(); ++level) {
    if (level < 4) sum.multiply_adds += (of(in[level]) + taps * c) * c * cells[level];
    sum.multiply_adds += (2 * taps * c + 15) * c * cells[level];  // rpn
    sum.kept += 5 * c * cells[level];
  }
  sum.multiply_adds += regions * (4 * taps * c * c * bins + bins * c * of(options.box_features) +
                                  of(options.box_features) * (5 * k + 1));
  sum.multiply_adds += masks * square * c * (4 * taps * c + 4 * c + 4);
  sum.kept += 6 * c * (regions * bins + masks * 2 * square);
  return sum;
}

}  // namespace

nn::Cost cost(const DetectorOptions& options) {
  nn::Cost sum = cost(options.backbone);
  sum += detection_heads_cost(options);
  return sum;
}

}  // namespace fcm::models
