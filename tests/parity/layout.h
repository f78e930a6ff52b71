// Converts tensors from this program's plan order to the layouts of the upstream programs.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "fcm/masks/view_plan.h"
#include "fcm/ops/patches.h"

namespace fcm::parity {

// A tensor in the upstream layout, and which of its elements this program computed. It skips
// elements that no result needs, although upstream computes them: hidden patches in the encoder,
// visible ones at the end of the decoder.
struct UpstreamTensor {
  at::Tensor values;
  at::Tensor computed;  // bool, same shape
};

// For plans whose kept views have equal sizes.
class Layout {
 public:
  // `class_tokens`: the number of class tokens at the start of each sequence, 0 or 1.
  Layout(const masks::ViewPlan& plan, ops::PatchGeometry geometry, int64_t class_tokens);

  // Cells of a convolution stage, [B, K, P, C] (or [B, K, C] for one cell) -> [B, C, H, W].
  UpstreamTensor map(const at::Tensor& cells, int64_t stage) const;
  // One vector per patch, [B, K, C] -> [B, L, C] in raster order.
  UpstreamTensor raster(const at::Tensor& tokens) const;
  // The encoder's sequences of each view, in any grouping of [B, G, T, C] -> [G * B, T, C].
  UpstreamTensor views(const at::Tensor& tokens) const;
  // The decoder's sequences, [B * G, T + L, D] with visible patches first, or only the hidden ones,
  // [B * G, L - k, D] -> [G * B, T + L, D] in raster order.
  UpstreamTensor sequences(const at::Tensor& tokens) const;
  // Predictions [B, G, L - k, pixels * channels] -> [G * B, L, pixels * channels], a patch as (row,
  // column, channel).
  UpstreamTensor predictions(const at::Tensor& predictions_BGHD) const;

  at::Tensor masks() const;        // [G * B, L]: 1 hidden, 0 visible
  at::Tensor ids_restore() const;  // [B, L]: the slot of each patch

 private:
  int64_t batch() const { return plan_.batch(); }
  int64_t patches() const { return plan_.patches(); }
  // The raster index of the patch at each position of a view's sequence, which has visible patches
  // first. [B, G, L]
  at::Tensor patch_of_place() const;

  masks::ViewPlan plan_;
  ops::PatchGeometry geometry_;
  int64_t class_tokens_;
  int64_t view_size_;
};

}  // namespace fcm::parity
