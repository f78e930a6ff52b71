// The mask head of Mask R-CNN: for each pixel of a region the logit of belonging to the object.
// Source: He et al., "Mask R-CNN", ICCV 2017; detectron2, MaskRCNNConvUpsampleHead.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "fcm/heads/doubling_conv.h"
#include "fcm/heads/region_convs.h"
#include "fcm/nn/parameters.h"

namespace fcm::heads {

struct MaskHeadOptions {
  int64_t channels = 256;
  int64_t classes = 80;
  nn::MapNormOptions norm = kRegionNorm;
};

class MaskHead {
 public:
  // `scope`: upstream's "roi_heads.mask_head", to which it adds "mask_fcn<n>.*", "deconv.*" and
  // "predictor.*".
  MaskHead(const nn::Scope& scope, const MaskHeadOptions& options);

  // Pooled features of regions [R, P, P, channels] and the class of each, int64 [R] -> logits of
  // that class, [R, 2 P, 2 P], float32, or float64 if the regions are. Upstream computes the logits
  // of all K classes, which makes the last product K times as expensive. R may be 0. In training
  // all ranks have to run forward and backward, even without regions.
  at::Tensor operator()(const at::Tensor& pooled_RPPC, const at::Tensor& classes_R,
                        const nn::Ranks& ranks) const;
  // Logits of all classes: [R, 2 P, 2 P, K].
  at::Tensor of_all_classes(const at::Tensor& pooled_RPPC, const nn::Ranks& ranks) const;

  const MaskHeadOptions& options() const { return options_; }

 private:
  // The input of the last product: [R, P, P, 4, C], with four positions of the doubled map.
  at::Tensor hidden(const at::Tensor& pooled_RPPC, const nn::Ranks& ranks) const;

  MaskHeadOptions options_;
  RegionConvs convs_;
  DoublingConv deconv_;
  at::Tensor weight_KC_, bias_K_;
};

}  // namespace fcm::heads
