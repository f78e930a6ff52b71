// Masking: the order in which patches are stored, and the edges between them.
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

// Consecutive views of equal size: their slots can be reshaped to [views, size].
struct ViewRun {
  int64_t first_view = 0;
  int64_t views = 0;
  int64_t size = 0;        // patches per view
  int64_t first_slot = 0;  // of the run
};

// A slot is the index at which a patch is stored. Slots are sorted by view, so each view is a
// contiguous range.
struct ViewPlan {
  at::Tensor order_BL;        // int64: slot -> patch index in raster order
  at::Tensor cpu_order_BL;    // the same on the CPU, whatever the device of the rest
  at::Tensor neighbours_BL9;  // int32: slot -> slots around it, row by row; -1: no edge
  // For each of kept_runs(), int64 [views, H]: the slots that each view predicts, in slot order.
  // They are all L - size slots of the other views, or a share of them (with_drawn_share), and are
  // the same for every image.
  std::vector<at::Tensor> hidden_slots_GH;
  std::vector<int64_t> sizes;  // patches per view, all views
  int64_t kept = 0;            // the first `kept` views are seen by the encoder and trained on
  Grid grid;

  int64_t batch() const { return order_BL.size(0); }
  int64_t patches() const { return grid.patches(); }
  int64_t kept_slots() const;              // K: slots of the kept views
  std::vector<ViewRun> kept_runs() const;  // in order; one run if all kept views have equal sizes

  // A copy with its tables on `device`; no copy of tables that are already there.
  ViewPlan to(at::Device device) const;
};

// Sizes of the views of a grid: G = round(1 / (1 - ratio)) views of int(L * (1 - ratio)) patches;
// the last view has the rest. Source: models_fastconvmae.py random_masking, generalised from G = 4.
// Throws Error(kUsage) if a view would be empty or if more views are kept than exist.
std::vector<int64_t> view_sizes(int64_t patches, const MaskOptions& options);
int64_t kept_views(const std::vector<int64_t>& sizes, const MaskOptions& options);

// A plan from noise [B, L] (any floating type): the rank of a patch in ascending noise is its slot,
// as in upstream's argsort. The first `kept` views are kept.
ViewPlan plan_from_noise(const at::Tensor& noise_BL, Grid grid, std::vector<int64_t> sizes,
                         int64_t kept);

// A plan with noise keyed by (seed, epoch, sample id), so a sample's order does not depend on its
// batch.
ViewPlan plan_for_samples(std::span<const int64_t> sample_ids, uint64_t seed, uint64_t epoch,
                          Grid grid, const MaskOptions& options);

// How many patches a view predicts if `hidden` are hidden from it: share * hidden, rounded, at
// least one; 0 if hidden is 0.
int64_t drawn_patches(int64_t hidden, double share);

// The plan with hidden_slots_GH reduced to a share of each view's hidden slots. The patches of an
// image are assigned to slots by a keyed draw, so a fixed choice of slots is a uniform draw of
// patches, different in every image and epoch, while hidden_slots_GH is the same for all images.
// The chosen slots are evenly spaced and shifted from view to view, so that views predict different
// patches. For plans made by plan_for_samples, with tables on the CPU.
ViewPlan with_drawn_share(ViewPlan plan, double share);

// One view, raster order, every edge: fine-tuning, probing, feature extraction.
ViewPlan full_plan(int64_t batch, Grid grid);

// One view per window of `window` x `window` patches, windows row by row. The plan has every edge,
// so convolutions cross windows. Inside a window patches are in Morton order (interleaved bits of
// row and column), so for an even `window` each 2 x 2 patches are four consecutive slots. For
// detectors (docs/tour/05-encoder.md). Throws Error(kUsage) if windows do not tile the grid: the
// caller has to pad such images.
ViewPlan plan_of_windows(int64_t batch, Grid grid, int64_t window);

// The same order of patches as in `plan`, in one view with every edge: nothing is hidden.
ViewPlan unmasked(const ViewPlan& plan);

}  // namespace fcm::masks
