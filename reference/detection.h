// The networks of the upstream detectors (Mask R-CNN of detectron2 on MIMDet's backbones, and the
// official ViTDet form) and their losses, in plain tensor calls on NCHW maps, by upstream names.
// detection_boxes.h has the box operations between them.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "reference/layers.h"

namespace fcm::reference {

// The weights select the norm after a convolution: if there are running statistics, batch
// normalisation (in training it uses statistics of the batch and updates the running ones);
// otherwise LayerNorm over channels, epsilon 1e-6. The norm of vit_adaptor is always GroupNorm.
//
// `name` is a prefix of keys with its dot, for the functions below in order: "backbone.",
// "backbone.", "backbone.bottom_up.", "proposal_generator.rpn_head.", "roi_heads.",
// "roi_heads.mask_head.".

// The backbone's maps s0..s3, of strides 4 to 32, -> p2..p6.
std::vector<at::Tensor> feature_pyramid(const Layers& layers, const std::string& name,
                                        const std::vector<at::Tensor>& maps_BCHW, bool training);
// From the last map, of stride 16, to p2..p6.
std::vector<at::Tensor> simple_pyramid(const Layers& layers, const std::string& name,
                                       const at::Tensor& map_BCHW);
// From the maps of four layers of a ViT to s0..s3.
std::vector<at::Tensor> vit_adaptor(const Layers& layers, const std::string& name,
                                    const std::vector<at::Tensor>& maps_BCHW);

struct RpnMaps {
  at::Tensor logits_BAHW, deltas_BDHW;  // 3 and 12 channels: anchor-major
  // In the order of anchors: [B, H * W * 3] and [B, H * W * 3, 4].
  at::Tensor logits() const;
  at::Tensor deltas() const;
};
RpnMaps rpn_head(const Layers& layers, const std::string& name, const at::Tensor& map_BCHW);

struct BoxHeadResult {
  at::Tensor features_RF, scores_RC, deltas_RD;
};
BoxHeadResult box_head(const Layers& layers, const std::string& name, const at::Tensor& pooled_RCPP,
                       bool training);
// Logits of all classes, [R, K, 2 P, 2 P].
at::Tensor mask_head(const Layers& layers, const std::string& name, const at::Tensor& pooled_RCPP,
                     bool training);

// labels [B, A] after sampling: 1 and 0 count, -1 is ignored; targets [B, A, 4] are used where the
// label is 1.
struct RpnLossPair {
  at::Tensor objectness, deltas;
};
RpnLossPair rpn_losses(const at::Tensor& logits_BA, const at::Tensor& deltas_BA4,
                       const at::Tensor& labels_BA, const at::Tensor& targets_BA4,
                       double per_image);

// classes [R], K: background; target deltas [R, 4], ignored for background.
struct BoxLossPair {
  at::Tensor classes, deltas;
};
BoxLossPair box_losses(const at::Tensor& scores_RC, const at::Tensor& deltas_RD,
                       const at::Tensor& classes_R, const at::Tensor& targets_R4);

// targets [R, M, M] of 0 and 1.
at::Tensor mask_loss(const at::Tensor& logits_RKMM, const at::Tensor& classes_R,
                     const at::Tensor& targets_RMM);

// detectron2's NaiveSyncBatchNorm with stats_mode "N" in training, for all ranks at once: x [N, C,
// H, W], weight [C] and bias [C] of each rank. Updates the running statistics.
std::vector<at::Tensor> synced_batch_norm(const std::vector<at::Tensor>& x,
                                          const std::vector<at::Tensor>& weights,
                                          const std::vector<at::Tensor>& biases,
                                          const at::Tensor& running_mean,
                                          const at::Tensor& running_var);

}  // namespace fcm::reference
