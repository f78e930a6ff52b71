#include "reference/views.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "fcm/base/error.h"

namespace fcm::reference {

at::Tensor Views::gather(const Run& run, const at::Tensor& tokens_BLD) const {
  std::vector<at::Tensor> views;
  for (int64_t view = run.first; view < run.first + run.count; ++view) {
    const at::Tensor ids = ids_shuffle_BL.narrow(1, starts[static_cast<size_t>(view)], run.size);
    views.push_back(
        at::gather(tokens_BLD, 1, ids.unsqueeze(-1).expand({-1, -1, tokens_BLD.size(2)})));
  }
  return at::cat(views, 0);
}

at::Tensor Views::predicted(const Run& run, double share) const {
  const auto kept = static_cast<int64_t>(masks.size());
  std::vector<at::Tensor> views;
  for (int64_t view = run.first; view < run.first + run.count; ++view) {
    const int64_t start = starts[static_cast<size_t>(view)];
    std::vector<int64_t> ranks;  // of the patches that are hidden from the view
    for (int64_t rank = 0; rank < patches(); ++rank) {
      if (rank < start || rank >= start + run.size) ranks.push_back(rank);
    }
    const double hidden = static_cast<double>(ranks.size());
    const double drawn = std::max(1.0, std::round(share * hidden));
    at::Tensor by_rank_BL = at::zeros({batch(), patches()}, masks.front().options());
    for (double i = 0; i < drawn; ++i) {
      // 1e-9: an integer that rounding made slightly smaller is not rounded down.
      const double place = std::floor(
          (i + static_cast<double>(view) / static_cast<double>(kept)) * hidden / drawn + 1e-9);
      by_rank_BL.select(1, ranks[static_cast<size_t>(place)]).fill_(1);
    }
    views.push_back(by_rank_BL.gather(1, ids_restore_BL));
  }
  return at::cat(views, 0);
}

std::vector<at::Tensor> Views::visible_maps(int64_t grid_rows, int64_t grid_cols, int64_t cells,
                                            at::ScalarType type) const {
  std::vector<at::Tensor> maps;
  for (const at::Tensor& mask_BL : masks) {
    maps.push_back((1 - mask_BL)
                       .to(type)
                       .view({batch(), 1, grid_rows, 1, grid_cols, 1})
                       .expand({-1, -1, -1, cells, -1, cells})
                       .reshape({batch(), 1, grid_rows * cells, grid_cols * cells}));
  }
  return maps;
}

Views split_into_views(const at::Tensor& noise_BL, const std::vector<int64_t>& sizes,
                       int64_t kept_views, at::ScalarType mask_type) {
  const auto count = static_cast<int64_t>(sizes.size());
  require(kept_views >= 1 && kept_views <= count, "expected 1 to {1} kept views, got {0}",
          kept_views, count);
  const int64_t covered = std::accumulate(sizes.begin(), sizes.end(), int64_t{0});
  require(covered == noise_BL.size(1), "views cover {} patches, expected the {} of the noise",
          covered, noise_BL.size(1));
  Views views;
  views.ids_shuffle_BL = noise_BL.argsort(/*stable=*/true, /*dim=*/1);
  views.ids_restore_BL = views.ids_shuffle_BL.argsort(/*stable=*/true, /*dim=*/1);
  views.sizes = sizes;
  int64_t start = 0;
  for (int64_t view = 0; view < count; ++view) {
    const int64_t size = sizes[static_cast<size_t>(view)];
    views.starts.push_back(start);
    if (view < kept_views) {
      const at::Tensor visible =
          (views.ids_restore_BL >= start).logical_and(views.ids_restore_BL < start + size);
      views.masks.push_back(visible.logical_not().to(mask_type));
      if (views.runs.empty() || views.runs.back().size != size) {
        views.runs.push_back({view, 0, size});
      }
      ++views.runs.back().count;
    }
    start += size;
  }
  return views;
}

}  // namespace fcm::reference
