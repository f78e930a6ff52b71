// The published segmenters (ConvMAE's SEG/backbone/convmae.py, mmsegmentation's mae.py), from
// pixels to logits and from an image of any size to its map, in plain tensor calls on NCHW maps.
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
  std::vector<int64_t> taps;            // ViT: the four blocks whose results become maps
  at::ScalarType compute = at::kFloat;  // as in ReferenceOptions
};

struct SegmenterPass {
  // Batch normalisation by the batch, and the running statistics in the weights move; the second
  // head is computed. Otherwise by those, without it.
  bool training = false;
  nn::DropPath drop_path = {};
  at::Tensor decode_BC = {}, aux_BC = {};  // factors of dropout; undefined: none
};

struct SegmenterLogits {
  at::Tensor decode_BKHW;  // at a quarter of the image's sides
  at::Tensor aux_BKHW;     // at a sixteenth; undefined in evaluation
};

// images_BCHW: normalised pixels of the trained size, floating. Names of weights are those of
// models::Segmenter. The observer sees the published modules, and "feature.0" to "feature.3".
// Throws Error(kCheckpoint) for a weight that is missing.
SegmenterLogits segment(const Weights& weights, const SegmenterOptions& options,
                        const at::Tensor& images_BCHW, const SegmenterPass& pass = {},
                        const nn::Observer& observer = {});

// The published slide_inference and what follows it: windows of the trained size one after the
// other, each one's logits at its size added up and divided by how many windows hold a pixel,
// brought to rows x cols, the likeliest class. picture_1CHW: no side shorter than a window's. Class
// numbers, int64 [rows, cols].
at::Tensor slide(const Weights& weights, const SegmenterOptions& options,
                 const at::Tensor& picture_1CHW, const std::array<int64_t, 2>& strides,
                 int64_t rows, int64_t cols);

}  // namespace fcm::reference
