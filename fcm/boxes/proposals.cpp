#include "fcm/boxes/proposals.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <functional>

#include "fcm/base/error.h"
#include "fcm/boxes/deltas.h"
#include "fcm/ops/nms/op.h"

namespace fcm::boxes {
namespace {

// The candidates of a level with the largest logits: indices and logits, by descending logit; on
// ties the lower index comes first.
struct Best {
  at::Tensor index_K, logit_K;
};

Best best_of(const at::Tensor& logits_N, int64_t most) {
  const auto [logit_N, index_N] = logits_N.sort(/*stable=*/true, /*dim=*/0, /*descending=*/true);
  const int64_t count = std::min(most, logits_N.size(0));
  return {index_N.narrow(0, 0, count), logit_N.narrow(0, 0, count)};
}

at::Tensor rows_where(const at::Tensor& keep_N) { return keep_N.nonzero().flatten(); }

// Clipping, NMS and selection, from the best candidates of all levels, concatenated.
Proposals kept_of(const at::Tensor& boxes_N4, const at::Tensor& logits_N, const at::Tensor& level_N,
                  int64_t rows, int64_t columns, const ProposalOptions& options) {
  const at::Tensor finite_N = boxes_N4.isfinite().all(1).logical_and_(logits_N.isfinite());
  const at::Tensor inside_N4 = clipped(boxes_N4, rows, columns);
  const auto longer_than_0 = [&](int64_t axis) {
    return inside_N4.select(1, axis + 2) - inside_N4.select(1, axis) > 0;
  };
  const at::Tensor good_M = rows_where(finite_N & longer_than_0(0) & longer_than_0(1));
  const at::Tensor boxes_M4 = inside_N4.index_select(0, good_M);
  const at::Tensor logits_M = logits_N.index_select(0, good_M);
  const at::Tensor kept =
      ops::nms(boxes_M4, logits_M, level_N.index_select(0, good_M), options.overlap);
  const at::Tensor first_P = kept.narrow(0, 0, std::min(options.kept, kept.size(0)));
  return {boxes_M4.index_select(0, first_P), logits_M.index_select(0, first_P),
          finite_N.logical_not().sum().item<int64_t>()};
}

using BoxesOf = std::function<at::Tensor(size_t level, const at::Tensor& index_K)>;

Proposals propose_by(const std::vector<at::Tensor>& logits, const BoxesOf& boxes_of, int64_t rows,
                     int64_t columns, const ProposalOptions& options) {
  require(!logits.empty(), "propose: expected at least one level, got 0");
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> best_boxes, best_logits, levels;
  for (size_t level = 0; level < logits.size(); ++level) {
    const at::Tensor wide =
        logits[level].to(at::promote_types(logits[level].scalar_type(), at::kFloat));
    const Best best = best_of(wide, options.per_level);
    best_boxes.push_back(boxes_of(level, best.index_K));
    best_logits.push_back(best.logit_K);
    levels.push_back(at::full_like(best.index_K, static_cast<int64_t>(level)));
  }
  return kept_of(at::cat(best_boxes), at::cat(best_logits), at::cat(levels), rows, columns,
                 options);
}

}  // namespace

Proposals propose(const std::vector<at::Tensor>& logits, const std::vector<at::Tensor>& deltas,
                  const FrameAnchors& anchors, int64_t rows, int64_t columns,
                  const ProposalOptions& options) {
  require(logits.size() == deltas.size() && logits.size() + 1 == anchors.first_of_level.size(),
          "propose: expected equal counts of levels, got logits of {}, deltas of {}, anchors of {}",
          logits.size(), deltas.size(), anchors.first_of_level.size() - 1);
  const auto decoded = [&](size_t level, const at::Tensor& index_K) {
    const int64_t first = anchors.first_of_level[level];
    require(first + logits[level].size(0) == anchors.first_of_level[level + 1],
            "propose: got {} logits for level {}, expected {}, one per anchor",
            logits[level].size(0), level, anchors.first_of_level[level + 1] - first);
    return decode(deltas[level].index_select(0, index_K),
                  anchors.boxes_A4.index_select(0, index_K + first), kAnchorDeltas);
  };
  return propose_by(logits, decoded, rows, columns, options);
}

Proposals propose_boxes(const std::vector<at::Tensor>& logits, const std::vector<at::Tensor>& boxes,
                        int64_t rows, int64_t columns, const ProposalOptions& options) {
  require(logits.size() == boxes.size(),
          "propose: expected equal counts of levels, got logits of {}, boxes of {}", logits.size(),
          boxes.size());
  const auto given = [&](size_t level, const at::Tensor& index_K) {
    return boxes[level].index_select(0, index_K);
  };
  return propose_by(logits, given, rows, columns, options);
}

}  // namespace fcm::boxes
