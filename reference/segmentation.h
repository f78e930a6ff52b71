// The published heads of semantic segmentation (mmsegmentation's UPerHead and FCNHead, the maps in
// front of them, their loss) in plain tensor calls on NCHW maps: upsampled maps side by side, one
// convolution of all, cross-entropy of upsampled logits.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "reference/layers.h"

namespace fcm::reference {

struct SegmentationPass {
  // Batch normalisation by the batch, and the running statistics in the weights move; otherwise by
  // those.
  bool training = false;
  at::Tensor dropout_BC;  // factors of channels before conv_seg; undefined: none
};

// `name`: the prefix of the keys with its dot, "decode_head." Logits [B, K, H, W] at the size of
// the first map. The observer sees every conv-norm-ReLU under its whole name.
at::Tensor upernet(const Layers& layers, const std::string& name,
                   const std::vector<at::Tensor>& maps_BCHW, const SegmentationPass& pass);
// The auxiliary head.
at::Tensor fcn(const Layers& layers, const std::string& name, const at::Tensor& map_BCHW,
               const SegmentationPass& pass);
// ConvViT's map of half the size; `name`: "backbone.fpn".
at::Tensor fourth_map(const Layers& layers, const std::string& name, const at::Tensor& map_BCHW,
                      const SegmentationPass& pass);
// Four maps of one size to four sizes, `name`: "neck".
std::vector<at::Tensor> vit_neck(const Layers& layers, const std::string& name,
                                 const std::vector<at::Tensor>& maps_BCHW,
                                 const SegmentationPass& pass);

at::Tensor upsampled(const at::Tensor& map_BCHW, int64_t rows, int64_t cols);  // bilinear

// Mean over all pixels of the cross-entropy of upsampled logits; label 255 counts as 0.
at::Tensor segmentation_loss(const at::Tensor& logits_BKHW, const at::Tensor& labels_BHW);
// Percent of all pixels whose likeliest class is their label.
double segmentation_accuracy(const at::Tensor& logits_BKHW, const at::Tensor& labels_BHW);

}  // namespace fcm::reference
