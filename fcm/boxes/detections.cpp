#include "fcm/boxes/detections.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <functional>

#include "fcm/base/error.h"
#include "fcm/boxes/deltas.h"
#include "fcm/ops/nms/op.h"

namespace fcm::boxes {
namespace {

// Boxes [M, 4] of (region, class) pairs.
using BoxesOfPairs =
    std::function<at::Tensor(const at::Tensor& region_M, const at::Tensor& class_M)>;

// values [N, 4 * K] -> those of each (region, class) pair, [M, 4]
at::Tensor of_pairs(const at::Tensor& values_ND, const at::Tensor& region_M,
                    const at::Tensor& class_M) {
  return values_ND.reshape({-1, 4}).index_select(0, region_M * (values_ND.size(1) / 4) + class_M);
}

Detections detect_by(const at::Tensor& probabilities_NC, const at::Tensor& numbers_ND,
                     const BoxesOfPairs& boxes_of, int64_t rows, int64_t columns,
                     const DetectionOptions& options) {
  const int64_t classes = probabilities_NC.size(1) - 1;
  require(numbers_ND.size(0) == probabilities_NC.size(0) && numbers_ND.size(1) == 4 * classes,
          "detect: expected 4 box values per region and class, got "
          "{} regions, {} classes, {} values for {} regions",
          probabilities_NC.size(0), classes, numbers_ND.size(1), numbers_ND.size(0));
  const at::Tensor finite_N =
      numbers_ND.isfinite().all(1).logical_and_(probabilities_NC.isfinite().all(1));
  const at::Tensor likely_NK =
      (probabilities_NC.narrow(1, 0, classes) > options.least_score) & finite_N.unsqueeze(1);
  const at::Tensor pairs_M2 = likely_NK.nonzero();
  const at::Tensor region_M = pairs_M2.select(1, 0), class_M = pairs_M2.select(1, 1);
  const at::Tensor score_M =
      probabilities_NC.reshape({-1}).index_select(0, region_M * (classes + 1) + class_M);
  const at::Tensor boxes_M4 = clipped(boxes_of(region_M, class_M), rows, columns);
  const at::Tensor kept = ops::nms(boxes_M4, score_M, class_M, options.overlap);
  const at::Tensor first_D = kept.narrow(0, 0, std::min(options.most, kept.size(0)));
  const auto of_first = [&](const at::Tensor& values) { return values.index_select(0, first_D); };
  return {of_first(boxes_M4), of_first(score_M), of_first(class_M), of_first(region_M)};
}

}  // namespace

Detections detect(const at::Tensor& probabilities_NC, const at::Tensor& deltas_ND,
                  const at::Tensor& regions_N4, int64_t rows, int64_t columns,
                  const DetectionOptions& options) {
  const at::NoGradGuard no_grad;
  return detect_by(
      probabilities_NC, deltas_ND,
      [&](const at::Tensor& region_M, const at::Tensor& class_M) {
        return decode(of_pairs(deltas_ND, region_M, class_M), regions_N4.index_select(0, region_M),
                      kRegionDeltas);
      },
      rows, columns, options);
}

Detections detect_boxes(const at::Tensor& probabilities_NC, const at::Tensor& boxes_ND,
                        int64_t rows, int64_t columns, const DetectionOptions& options) {
  const at::NoGradGuard no_grad;
  return detect_by(
      probabilities_NC, boxes_ND,
      [&](const at::Tensor& region_M, const at::Tensor& class_M) {
        return of_pairs(boxes_ND, region_M, class_M);
      },
      rows, columns, options);
}

}  // namespace fcm::boxes
