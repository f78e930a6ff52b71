// Computes an image's proposals from the region proposal network's outputs for its anchors. Source:
// Ren et al., "Faster R-CNN", NeurIPS 2015; detectron2, find_top_rpn_proposals.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "fcm/boxes/anchors.h"

namespace fcm::boxes {

struct ProposalOptions {
  int64_t per_level = 2000;  // best of each level by logit
  int64_t kept = 1000;       // at most, over all levels
  double overlap = 0.7;      // NMS threshold: IoU with a better proposal of the same level
};
inline constexpr ProposalOptions kTrainingProposals{2000, 1000, 0.7};
inline constexpr ProposalOptions kTestProposals{1000, 1000, 0.7};

struct Proposals {
  at::Tensor boxes_P4;  // float32 (float64 if the deltas are), clipped, by descending logit
  at::Tensor logits_P;
  // How many of the best candidates had a non-finite box or logit and were dropped. In training the
  // caller has to stop all ranks if any rank has some.
  int64_t non_finite_count = 0;
};

// Proposals of one image of rows x columns pixels, from logits [n] and deltas [n, 4] of the anchors
// of each level. Takes the options.per_level best anchors of each level by logit, decodes and clips
// them, drops non-finite boxes, boxes without area and boxes whose IoU with a better one of the
// same level exceeds options.overlap, and keeps the options.kept best of all levels. Ties in logit:
// the lower level, then the lower index first. Without gradients.
Proposals propose(const std::vector<at::Tensor>& logits, const std::vector<at::Tensor>& deltas,
                  const FrameAnchors& anchors, int64_t rows, int64_t columns,
                  const ProposalOptions& options);

// `propose` for boxes that are already decoded, [n, 4] per level.
Proposals propose_boxes(const std::vector<at::Tensor>& logits, const std::vector<at::Tensor>& boxes,
                        int64_t rows, int64_t columns, const ProposalOptions& options);

}  // namespace fcm::boxes
