// The mask head of Mask R-CNN: which pixels of a region belong to the object. Source: He et al.,
// "Mask R-CNN", ICCV 2017; detectron2, MaskRCNNConvUpsampleHead.
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
  // `scope`: the published "roi_heads.mask_head", which gets "mask_fcn<n>.*", "deconv.*" and
  // "predictor.*".
  MaskHead(const nn::Scope& scope, const MaskHeadOptions& options);

  // Pixels of regions [R, P, P, channels] and a class of each, int64 [R] -> logits of that class,
  // [R, 2 P, 2 P], float32, or float64 where the regions are: the published logits of one class of
  // K, for a K-th of the last product. R may be 0. In training all ranks have to call it, forward
  // and backward, regions or not.
  at::Tensor operator()(const at::Tensor& pooled_RPPC, const at::Tensor& classes_R,
                        const nn::Ranks& ranks) const;
  // Logits of all classes: [R, 2 P, 2 P, K].
  at::Tensor of_all_classes(const at::Tensor& pooled_RPPC, const nn::Ranks& ranks) const;

  const MaskHeadOptions& options() const { return options_; }

 private:
  // What the last product takes: [R, P, P, 4, C], the four positions of the doubled map.
  at::Tensor hidden(const at::Tensor& pooled_RPPC, const nn::Ranks& ranks) const;

  MaskHeadOptions options_;
  RegionConvs convs_;
  DoublingConv deconv_;
  at::Tensor weight_KC_, bias_K_;
};

}  // namespace fcm::heads
