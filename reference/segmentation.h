// The upstream heads of semantic segmentation (mmsegmentation's UPerHead and FCNHead, their necks
// and their loss) in plain tensor calls on NCHW maps: upsampled maps are concatenated before one
// convolution, the loss is the cross-entropy of upsampled logits.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "reference/layers.h"

namespace fcm::reference {

struct SegmentationPass {
  // In training, batch normalisation uses the statistics of the batch and updates the running ones
  // in the weights; otherwise it uses the running ones.
  bool training = false;
  at::Tensor dropout_BC;  // scale factors of channels before conv_seg; undefined: no dropout
};

// `name`: the prefix of the keys with its dot, "decode_head." Returns logits [B, K, H, W] at the
// size of the first map. The observer gets every conv-norm-ReLU under its whole name.
at::Tensor upernet(const Layers& layers, const std::string& name,
                   const std::vector<at::Tensor>& maps_BCHW, const SegmentationPass& pass);
// The auxiliary head.
at::Tensor fcn(const Layers& layers, const std::string& name, const at::Tensor& map_BCHW,
               const SegmentationPass& pass);
// From ConvViT's last map to one of half its size; `name`: "backbone.fpn".
at::Tensor fourth_map(const Layers& layers, const std::string& name, const at::Tensor& map_BCHW,
                      const SegmentationPass& pass);
// From four maps of one size to four sizes; `name`: "neck".
std::vector<at::Tensor> vit_neck(const Layers& layers, const std::string& name,
                                 const std::vector<at::Tensor>& maps_BCHW,
                                 const SegmentationPass& pass);

at::Tensor upsampled(const at::Tensor& map_BCHW, int64_t rows, int64_t cols);  // bilinear

// Mean over all pixels of the cross-entropy of upsampled logits; pixels with label 255 count as 0.
at::Tensor segmentation_loss(const at::Tensor& logits_BKHW, const at::Tensor& labels_BHW);
// Percentage of pixels whose likeliest class is their label.
double segmentation_accuracy(const at::Tensor& logits_BKHW, const at::Tensor& labels_BHW);

}  // namespace fcm::reference
