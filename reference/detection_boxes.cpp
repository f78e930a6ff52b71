#include "reference/detection_boxes.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <tuple>

namespace fcm::reference {
namespace {

at::Tensor column(const at::Tensor& boxes_N4, int64_t index) { return boxes_N4.select(1, index); }

at::Tensor box_areas(const at::Tensor& boxes_N4) {
  return (column(boxes_N4, 2) - column(boxes_N4, 0)) * (column(boxes_N4, 3) - column(boxes_N4, 1));
}

at::Tensor inside_image(const at::Tensor& boxes_N4, int64_t rows, int64_t columns) {
  return at::stack({column(boxes_N4, 0).clamp(0, columns), column(boxes_N4, 1).clamp(0, rows),
                    column(boxes_N4, 2).clamp(0, columns), column(boxes_N4, 3).clamp(0, rows)},
                   1);
}

at::Tensor descending(const at::Tensor& scores_N) {
  return std::get<1>(scores_N.sort(/*stable=*/true, 0, /*descending=*/true));
}

at::Tensor indices_of(const std::vector<int64_t>& indices) {
  return at::tensor(at::ArrayRef<int64_t>(indices), at::kLong);
}

// The sample positions of a region along one axis.
struct SampledAxis {
  int64_t per_bin = 0;
  at::Tensor low, high, share, inside;  // [bins * per_bin]
};

SampledAxis sampled_axis(double start, double end, int64_t bins, int64_t size,
                         const at::TensorOptions& options) {
  const double bin = (end - start) / static_cast<double>(bins);
  SampledAxis axis;
  axis.per_bin = std::max<int64_t>(0, static_cast<int64_t>(std::ceil(bin)));
  std::vector<int64_t> low, high;
  std::vector<double> share, inside;
  for (int64_t j = 0; j < bins; ++j) {
    for (int64_t q = 0; q < axis.per_bin; ++q) {
      double at = start + static_cast<double>(j) * bin +
                  (static_cast<double>(q) + 0.5) * bin / static_cast<double>(axis.per_bin);
      inside.push_back(at < -1 || at > static_cast<double>(size) ? 0 : 1);
      at = std::clamp(at, 0.0, static_cast<double>(size - 1));
      low.push_back(static_cast<int64_t>(at));
      high.push_back(std::min(low.back() + 1, size - 1));
      share.push_back(at - static_cast<double>(low.back()));
    }
  }
  axis.low = indices_of(low);
  axis.high = indices_of(high);
  axis.share = at::tensor(at::ArrayRef<double>(share), at::kDouble).to(options);
  axis.inside = at::tensor(at::ArrayRef<double>(inside), at::kDouble).to(options);
  return axis;
}

// Interpolates the map along dimension `along` at the samples of `axis`; `shape` broadcasts values
// of the samples, [S], over the map.
at::Tensor read_along(const at::Tensor& map, int64_t along, const SampledAxis& axis,
                      at::IntArrayRef shape) {
  const at::Tensor share = axis.share.view(shape), inside = axis.inside.view(shape);
  return (map.index_select(along, axis.low) * (1 - share) +
          map.index_select(along, axis.high) * share) *
         inside;
}

}  // namespace

at::Tensor anchors_of_map(int64_t rows, int64_t columns, int64_t stride, double side) {
  std::vector<at::Tensor> around;
  for (const double ratio : {0.5, 1.0, 2.0}) {
    const double width = std::sqrt(side * side / ratio), height = ratio * width;
    around.push_back(
        at::tensor({-width / 2, -height / 2, width / 2, height / 2}, at::kDouble).to(at::kFloat));
  }
  const std::vector<at::Tensor> grid =
      at::meshgrid({at::arange(rows, at::kFloat) * static_cast<double>(stride),
                    at::arange(columns, at::kFloat) * static_cast<double>(stride)},
                   "ij");
  const at::Tensor y = grid[0].reshape({-1}), x = grid[1].reshape({-1});
  return (at::stack({x, y, x, y}, 1).unsqueeze(1) + at::stack(around)).reshape({-1, 4});
}

at::Tensor overlap_matrix(const at::Tensor& a_A4, const at::Tensor& b_B4) {
  const at::Tensor a_A14 = a_A4.unsqueeze(1), b_1B4 = b_B4.unsqueeze(0);
  const at::Tensor low = at::maximum(a_A14.narrow(2, 0, 2), b_1B4.narrow(2, 0, 2));
  const at::Tensor high = at::minimum(a_A14.narrow(2, 2, 2), b_1B4.narrow(2, 2, 2));
  const at::Tensor shared = (high - low).clamp_min(0).prod(2);
  const at::Tensor united = box_areas(a_A4).unsqueeze(1) + box_areas(b_B4) - shared;
  return at::where(shared > 0, shared / united, at::zeros_like(shared));
}

at::Tensor deltas_between(const at::Tensor& sources_N4, const at::Tensor& targets_N4,
                          const FourWeights& weights) {
  std::vector<at::Tensor> centres, sizes;
  for (int64_t axis = 0; axis < 2; ++axis) {
    const auto size_of = [&](const at::Tensor& boxes) {
      return column(boxes, axis + 2) - column(boxes, axis);
    };
    const auto centre_of = [&](const at::Tensor& boxes) {
      return column(boxes, axis) + 0.5 * size_of(boxes);
    };
    const auto place = static_cast<size_t>(axis);
    centres.push_back(weights[place] * (centre_of(targets_N4) - centre_of(sources_N4)) /
                      size_of(sources_N4));
    sizes.push_back(weights[place + 2] * (size_of(targets_N4) / size_of(sources_N4)).log());
  }
  return at::stack({centres[0], centres[1], sizes[0], sizes[1]}, 1);
}

at::Tensor boxes_at_deltas(const at::Tensor& deltas_ND, const at::Tensor& sources_N4,
                           const FourWeights& weights) {
  const int64_t of_each = deltas_ND.size(1) / 4;
  std::vector<at::Tensor> columns_of_boxes;
  for (int64_t k = 0; k < of_each; ++k) {
    std::vector<at::Tensor> low, high;
    for (int64_t axis = 0; axis < 2; ++axis) {
      const auto place = static_cast<size_t>(axis);
      const at::Tensor size = column(sources_N4, axis + 2) - column(sources_N4, axis);
      const at::Tensor centre = column(sources_N4, axis) + 0.5 * size;
      const at::Tensor move = column(deltas_ND, 4 * k + axis) / weights[place];
      const at::Tensor growth = (column(deltas_ND, 4 * k + axis + 2) / weights[place + 2])
                                    .clamp_max(std::log(1000.0 / 16));
      const at::Tensor new_size = growth.exp() * size, new_centre = move * size + centre;
      low.push_back(new_centre - 0.5 * new_size);
      high.push_back(new_centre + 0.5 * new_size);
    }
    columns_of_boxes.insert(columns_of_boxes.end(), {low[0], low[1], high[0], high[1]});
  }
  return at::stack(columns_of_boxes, 1);
}

MatchedBoxes matched_boxes(const at::Tensor& overlaps_TN, double low, double high,
                           bool low_quality) {
  if (overlaps_TN.numel() == 0) {
    const at::Tensor none = at::zeros({overlaps_TN.size(1)}, at::kLong);
    return {none, none};
  }
  const auto [best_N, truth_N] = overlaps_TN.max(0);  // the first of equal ones
  at::Tensor label_N =
      at::where(best_N < low, at::zeros_like(truth_N),
                at::where(best_N < high, at::full_like(truth_N, -1), at::ones_like(truth_N)));
  if (low_quality) {
    const at::Tensor best_T1 = overlaps_TN.amax(1, /*keepdim=*/true);
    label_N.masked_fill_((overlaps_TN == best_T1).any(0), 1);
  }
  return {truth_N, label_N};
}

at::Tensor non_maximum_suppression(const at::Tensor& boxes_N4, const at::Tensor& scores_N,
                                   const at::Tensor& groups_N, double threshold) {
  const at::Tensor order = descending(scores_N);
  const at::Tensor boxes = boxes_N4.index_select(0, order),
                   groups = groups_N.index_select(0, order);
  at::Tensor dropped = at::zeros({order.size(0)}, at::kBool);
  std::vector<int64_t> stay;
  for (int64_t i = 0; i < order.size(0); ++i) {
    if (dropped[i].item<bool>()) continue;
    stay.push_back(i);
    const at::Tensor overlaps = overlap_matrix(boxes.narrow(0, i, 1), boxes)[0];
    dropped.logical_or_((overlaps > threshold) & (groups == groups[i]));
  }
  return order.index_select(0, indices_of(stay));
}

FoundProposals top_proposals(const std::vector<at::Tensor>& boxes,
                             const std::vector<at::Tensor>& logits, int64_t rows, int64_t columns,
                             int64_t before_nms, int64_t after_nms, double threshold) {
  std::vector<at::Tensor> best_boxes, best_logits, levels;
  for (size_t level = 0; level < boxes.size(); ++level) {
    const at::Tensor order =
        descending(logits[level]).narrow(0, 0, std::min(before_nms, logits[level].size(0)));
    best_boxes.push_back(boxes[level].index_select(0, order));
    best_logits.push_back(logits[level].index_select(0, order));
    levels.push_back(at::full({order.size(0)}, static_cast<int64_t>(level), at::kLong));
  }
  at::Tensor all_boxes = at::cat(best_boxes), all_logits = at::cat(best_logits),
             all_levels = at::cat(levels);
  const auto keep = [&](const at::Tensor& which) {
    all_boxes = all_boxes.index_select(0, which);
    all_logits = all_logits.index_select(0, which);
    all_levels = all_levels.index_select(0, which);
  };
  keep((all_boxes.isfinite().all(1) & all_logits.isfinite()).nonzero().flatten());
  all_boxes = inside_image(all_boxes, rows, columns);
  keep(((column(all_boxes, 2) > column(all_boxes, 0)) &
        (column(all_boxes, 3) > column(all_boxes, 1)))
           .nonzero()
           .flatten());
  const at::Tensor stay = non_maximum_suppression(all_boxes, all_logits, all_levels, threshold);
  keep(stay.narrow(0, 0, std::min(after_nms, stay.size(0))));
  return {all_boxes, all_logits};
}

FoundDetections box_inference(const at::Tensor& boxes_ND, const at::Tensor& probabilities_NC,
                              int64_t rows, int64_t columns, double least_score, double threshold,
                              int64_t most) {
  const int64_t classes = probabilities_NC.size(1) - 1;
  const at::Tensor scores_NK = probabilities_NC.narrow(1, 0, classes);
  const at::Tensor pairs = (scores_NK > least_score).nonzero();
  const at::Tensor region = pairs.select(1, 0), of_class = pairs.select(1, 1);
  const at::Tensor flat = region * classes + of_class;
  const at::Tensor boxes = inside_image(boxes_ND.reshape({-1, 4}), rows, columns);
  const at::Tensor all_boxes = boxes.index_select(0, flat);
  const at::Tensor all_scores = scores_NK.reshape({-1}).index_select(0, flat);
  const at::Tensor stay = non_maximum_suppression(all_boxes, all_scores, of_class, threshold);
  const at::Tensor best = stay.narrow(0, 0, std::min(most, stay.size(0)));
  return {all_boxes.index_select(0, best), all_scores.index_select(0, best),
          of_class.index_select(0, best), region.index_select(0, best)};
}

at::Tensor roi_align(const at::Tensor& map_BCHW, const at::Tensor& boxes_R4,
                     const at::Tensor& image_R, double scale, int64_t bins) {
  std::vector<at::Tensor> regions;
  for (int64_t r = 0; r < boxes_R4.size(0); ++r) {
    const at::Tensor map_CHW = map_BCHW[image_R[r].item<int64_t>()];
    const auto edge = [&](int64_t side) { return boxes_R4[r][side].item<double>() * scale - 0.5; };
    const SampledAxis x = sampled_axis(edge(0), edge(2), bins, map_CHW.size(2), map_CHW.options());
    const SampledAxis y = sampled_axis(edge(1), edge(3), bins, map_CHW.size(1), map_CHW.options());
    if (x.per_bin == 0 || y.per_bin == 0) {
      regions.push_back(at::zeros({map_CHW.size(0), bins, bins}, map_CHW.options()));
      continue;
    }
    const at::Tensor samples = read_along(read_along(map_CHW, 1, y, {1, -1, 1}), 2, x, {1, 1, -1});
    regions.push_back(samples.view({-1, bins, y.per_bin, bins, x.per_bin}).mean({2, 4}));
  }
  if (regions.empty()) return map_BCHW.new_zeros({0, map_BCHW.size(1), bins, bins});
  return at::stack(regions);
}

}  // namespace fcm::reference
