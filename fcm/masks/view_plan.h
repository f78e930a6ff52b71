// The one place where masking happens: an order of patches, and the edges between them.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "fcm/masks/options.h"

namespace fcm::masks {

// Rows and columns of the grid of patches.
struct Grid {
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t patches() const { return rows * cols; }
};

// Consecutive views of equal size: their slots can be viewed as [views, size].
struct ViewRun {
  int64_t first_view = 0;
  int64_t views = 0;
  int64_t size = 0;        // patches per view
  int64_t first_slot = 0;  // of the run
};

// Slots are places of patches in storage: sorted by view, so that each view is a contiguous run.
struct ViewPlan {
  at::Tensor order_BL;        // int64: slot -> patch index in raster order
  at::Tensor cpu_order_BL;    // the same on the CPU, wherever the rest lies
  at::Tensor neighbours_BL9;  // int32: slot -> slots around it, row by row; -1: outside or not seen
  // For each of kept_runs(), int64 [views, H]: for each view the slots that it has to guess, in
  // slot order: all L - size of the other views, or a share of them (with_drawn_share). The same
  // for every picture.
  std::vector<at::Tensor> hidden_slots_GH;
  std::vector<int64_t> sizes;  // patches per view, all views
  int64_t kept = 0;            // the first `kept` views are seen by the encoder and trained on
  Grid grid;

  int64_t batch() const { return order_BL.size(0); }
  int64_t patches() const { return grid.patches(); }
  int64_t kept_slots() const;              // K: slots of the kept views
  std::vector<ViewRun> kept_runs() const;  // in order; one run when all kept views are equal

  // With its tables on `device`; the plan itself where they are there already.
  ViewPlan to(at::Device device) const;
};

// Sizes of the views of a grid: G = round(1 / (1 - ratio)) views of int(L * (1 - ratio)) patches,
// the last takes the rest. Source: models_fastconvmae.py random_masking, generalised from G = 4.
// Throws Error(kUsage) where a view would be empty or more views are kept than there are.
std::vector<int64_t> view_sizes(int64_t patches, const MaskOptions& options);
int64_t kept_views(const std::vector<int64_t>& sizes, const MaskOptions& options);

// A plan from noise [B, L] (any floating type): a patch's rank in ascending noise decides its slot,
// as the published argsort does. `kept` of the views are kept.
ViewPlan plan_from_noise(const at::Tensor& noise_BL, Grid grid, std::vector<int64_t> sizes,
                         int64_t kept);

// A plan whose noise is keyed by (seed, epoch, sample id): the same whatever the batch around it.
ViewPlan plan_for_samples(std::span<const int64_t> sample_ids, uint64_t seed, uint64_t epoch,
                          Grid grid, const MaskOptions& options);

// How many of a view's hidden patches are drawn: their share, rounded, and one at least; of none
// none.
int64_t drawn_patches(int64_t hidden, double share);

// The plan, of whose hidden patches each view is to guess a share alone. Slots are in the order of
// a keyed draw, so that any choice of slots is a uniform draw of patches, other ones in every
// picture and epoch, and the tables stay the same for all pictures. Those taken lie evenly among
// the hidden slots, a little further for each view, so that views ask for different patches. For
// plans that samples made, with tables on the CPU.
ViewPlan with_drawn_share(ViewPlan plan, double share);

// One view, raster order, every edge: fine-tuning, probing, feature extraction.
ViewPlan full_plan(int64_t batch, Grid grid);

// One view a window of `window` x `window` patches, windows row by row, every edge: convolutions
// cross windows. Inside a window patches stand in Morton order (bits of row and column taken in
// turns), so that where `window` is even each 2 x 2 of them are four slots in succession. For
// detectors (docs/tour/05-encoder.md). Throws Error(kUsage) where windows do not cut up the grid:
// who has such pictures pads them.
ViewPlan plan_of_windows(int64_t batch, Grid grid, int64_t window);

// The same order of patches as in `plan`, in one view with every edge: for who may see them all.
ViewPlan unmasked(const ViewPlan& plan);

}  // namespace fcm::masks
