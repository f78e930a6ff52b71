// From what the region proposal network says of anchors to a picture's proposals. Source: Ren et
// al., "Faster R-CNN", NeurIPS 2015; detectron2, find_top_rpn_proposals.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "fcm/boxes/anchors.h"

namespace fcm::boxes {

struct ProposalOptions {
  int64_t per_level = 2000;  // taken of each level, by logit
  int64_t kept = 1000;       // of all levels
  double overlap = 0.7;      // with a better one of its level, from which a proposal is dropped
};
inline constexpr ProposalOptions kTrainingProposals{2000, 1000, 0.7};
inline constexpr ProposalOptions kTestProposals{1000, 1000, 0.7};

struct Proposals {
  at::Tensor boxes_P4;  // float32 (float64 where the deltas are), clipped, by descending logit
  at::Tensor logits_P;
  // Of the best of each level, how many had a box or a logit that is not finite. They are dropped;
  // in training the ranks have to agree to stop where one of them has some.
  int64_t not_finite = 0;
};

// Of one picture of rows x columns pixels: per level logits [n] and deltas [n, 4] of its anchors.
// The best of each level by logit, decoded, clipped; those without area are dropped, and those that
// overlap a better one of the same level by more than options.overlap; the best of all levels.
// Equal logits: the lower level and index first. Without gradients.
Proposals propose(const std::vector<at::Tensor>& logits, const std::vector<at::Tensor>& deltas,
                  const FrameAnchors& anchors, int64_t rows, int64_t columns,
                  const ProposalOptions& options);

// The same of boxes that are decoded already, [n, 4] a level.
Proposals propose_boxes(const std::vector<at::Tensor>& logits, const std::vector<at::Tensor>& boxes,
                        int64_t rows, int64_t columns, const ProposalOptions& options);

}  // namespace fcm::boxes
