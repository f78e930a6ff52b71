// Assigns patches to views: upstream's random_masking for any number and any sizes of views.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace fcm::reference {

// Consecutive views of equal size: they run as one batch, view-major (row = view * B + image).
struct Run {
  int64_t first = 0;  // view
  int64_t count = 0;  // views
  int64_t size = 0;   // patches of a view
};

struct Views {
  at::Tensor ids_shuffle_BL;  // rank -> patch
  at::Tensor ids_restore_BL;  // patch -> rank
  std::vector<int64_t> sizes;
  std::vector<int64_t> starts;    // first rank of each view
  std::vector<Run> runs;          // of the kept views
  std::vector<at::Tensor> masks;  // per kept view [B, L]: 1 hidden, 0 visible; in the dtype of the
                                  // weights

  int64_t batch() const { return ids_shuffle_BL.size(0); }
  int64_t patches() const { return ids_shuffle_BL.size(1); }

  // tokens_BLD -> [count * B, size, D]: each view's tokens in the order of the shuffle.
  at::Tensor gather(const Run& run, const at::Tensor& tokens_BLD) const;

  // [count * B, L], raster order, dtype of the weights: 1 where a view predicts the patch. A view
  // predicts all patches hidden from it or, for a share below 1, patches at evenly spaced ranks
  // among them, shifted from view to view.
  at::Tensor predicted(const Run& run, double share) const;

  // Per kept view [B, 1, rows * cells, cols * cells] of 0 and 1; a patch is cells x cells.
  std::vector<at::Tensor> visible_maps(int64_t grid_rows, int64_t grid_cols, int64_t cells,
                                       at::ScalarType type) const;
};

Views split_into_views(const at::Tensor& noise_BL, const std::vector<int64_t>& sizes,
                       int64_t kept_views, at::ScalarType mask_type);

}  // namespace fcm::reference
