// The upstream segmenters (ConvMAE's SEG/backbone/convmae.py, mmsegmentation's mae.py), from pixels
// to logits and from an image of any size to its class map, in plain tensor calls on NCHW maps.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <vector>

#include "fcm/nn/drop_path.h"
#include "fcm/nn/observer.h"
#include "reference/reference.h"

namespace fcm::reference {

struct SegmenterOptions : EncoderSizes {
  std::vector<int64_t> taps;            // ViT: the four blocks whose outputs become maps
  at::ScalarType compute = at::kFloat;  // like ReferenceOptions::compute
};

struct SegmenterPass {
  // In training, batch normalisation uses the statistics of the batch and updates the running ones
  // in the weights, and the auxiliary head is computed. Otherwise batch normalisation uses the
  // running ones, and the auxiliary head is not computed.
  bool training = false;
  nn::DropPath drop_path = {};
  at::Tensor decode_BC = {}, aux_BC = {};  // scale factors of dropout; undefined: none
};

struct SegmenterLogits {
  at::Tensor decode_BKHW;  // at a quarter of the image's sides
  at::Tensor aux_BKHW;     // at a sixteenth; undefined in evaluation
};

// images_BCHW: normalised pixels of the trained size, floating-point. Weights have the names of
// models::Segmenter. The observer gets the upstream modules, and "feature.0" to "feature.3". Throws
// Error(kCheckpoint) for a missing weight.
SegmenterLogits segment(const Weights& weights, const SegmenterOptions& options,
                        const at::Tensor& images_BCHW, const SegmenterPass& pass = {},
                        const nn::Observer& observer = {});

// Upstream's slide_inference and the steps after it. Runs windows of the trained size one by one,
// sums their upsampled logits, divides by the number of windows over each pixel, resizes to rows x
// cols and takes the most likely class. No side of image_1CHW may be shorter than a window's.
// Returns class indices, int64 [rows, cols].
at::Tensor slide(const Weights& weights, const SegmenterOptions& options,
                 const at::Tensor& image_1CHW, const std::array<int64_t, 2>& strides, int64_t rows,
                 int64_t cols);

}  // namespace fcm::reference
