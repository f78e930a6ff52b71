#include "fcm/masks/view_plan.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/base/random.h"

namespace fcm::masks {
namespace {

// Fills neighbours[slot][3 * (dr + 1) + (dc + 1)] for one image. view_of_slot null: every edge.
void connect(const int64_t* order, const int64_t* view_of_slot, Grid grid, int32_t* neighbours) {
  const int64_t patches = grid.patches();
  std::vector<int64_t> slot_of_patch(static_cast<size_t>(patches));
  for (int64_t slot = 0; slot < patches; ++slot) {
    slot_of_patch[static_cast<size_t>(order[slot])] = slot;
  }
  for (int64_t slot = 0; slot < patches; ++slot) {
    const int64_t row = order[slot] / grid.cols;
    const int64_t col = order[slot] % grid.cols;
    for (int64_t around = 0; around < 9; ++around) {
      const int64_t near_row = row + around / 3 - 1;
      const int64_t near_col = col + around % 3 - 1;
      int32_t seen = -1;
      if (near_row >= 0 && near_row < grid.rows && near_col >= 0 && near_col < grid.cols) {
        const int64_t near_slot =
            slot_of_patch[static_cast<size_t>(near_row * grid.cols + near_col)];
        const bool apart = view_of_slot != nullptr && view_of_slot[near_slot] != view_of_slot[slot];
        if (!apart) seen = static_cast<int32_t>(near_slot);
      }
      neighbours[slot * 9 + around] = seen;
    }
  }
}

std::vector<int64_t> views_of_slots(const std::vector<int64_t>& sizes) {
  std::vector<int64_t> view_of_slot;
  for (size_t view = 0; view < sizes.size(); ++view) {
    view_of_slot.insert(view_of_slot.end(), static_cast<size_t>(sizes[view]),
                        static_cast<int64_t>(view));
  }
  return view_of_slot;
}

at::Tensor hidden_slots(const ViewRun& run, int64_t patches) {
  at::Tensor slots_GH = at::empty({run.views, patches - run.size}, at::kLong);
  auto* out = slots_GH.mutable_data_ptr<int64_t>();
  for (int64_t view = 0; view < run.views; ++view) {
    const int64_t begin = run.first_slot + view * run.size;
    for (int64_t slot = 0; slot < patches; ++slot) {
      if (slot < begin || slot >= begin + run.size) *out++ = slot;
    }
  }
  return slots_GH;
}

}  // namespace

int64_t ViewPlan::kept_slots() const {
  return std::accumulate(sizes.begin(), sizes.begin() + kept, int64_t{0});
}

std::vector<ViewRun> ViewPlan::kept_runs() const {
  std::vector<ViewRun> runs;
  int64_t slot = 0;
  for (int64_t view = 0; view < kept; ++view) {
    const int64_t size = sizes[static_cast<size_t>(view)];
    if (runs.empty() || runs.back().size != size) runs.push_back({view, 0, size, slot});
    ++runs.back().views;
    slot += size;
  }
  return runs;
}

ViewPlan ViewPlan::to(at::Device device) const {
  ViewPlan there = *this;
  there.order_BL = order_BL.to(device);
  there.neighbours_BL9 = neighbours_BL9.to(device);
  for (at::Tensor& slots_GH : there.hidden_slots_GH) slots_GH = slots_GH.to(device);
  return there;
}

std::vector<int64_t> view_sizes(int64_t patches, const MaskOptions& options) {
  const int64_t views = std::max<int64_t>(1, std::llround(1.0 / (1.0 - options.ratio)));
  // Upstream's int(L * (1 - ratio)). 1e-9 offsets the rounding of 1 - 0.9 = 0.09999...
  const int64_t size =
      static_cast<int64_t>(std::floor(static_cast<double>(patches) * (1.0 - options.ratio) + 1e-9));
  if (size < 1 || size * (views - 1) >= patches) {
    fail(ExitCode::kUsage,
         "masks.ratio = {} makes {} views of {} patches, but the image has {} patches; lower "
         "masks.ratio or use larger images",
         options.ratio, views, size, patches);
  }
  std::vector<int64_t> sizes(static_cast<size_t>(views), size);
  sizes.back() = patches - size * (views - 1);
  return sizes;
}

int64_t kept_views(const std::vector<int64_t>& sizes, const MaskOptions& options) {
  const auto views = static_cast<int64_t>(sizes.size());
  if (options.views.all()) return views;
  if (options.views.count > views) {
    fail(ExitCode::kUsage, "masks.views = {}, but masks.ratio = {} makes only {} views",
         options.views.count, options.ratio, views);
  }
  return options.views.count;
}

ViewPlan plan_from_noise(const at::Tensor& noise_BL, Grid grid, std::vector<int64_t> sizes,
                         int64_t kept) {
  const int64_t batch = noise_BL.size(0);
  const int64_t patches = grid.patches();
  TORCH_CHECK(noise_BL.dim() == 2 && noise_BL.size(1) == patches, "[view_plan] noise is ",
              noise_BL.sizes(), ", the grid has ", patches, " patches");
  TORCH_CHECK(std::accumulate(sizes.begin(), sizes.end(), int64_t{0}) == patches,
              "[view_plan] views do not cover the grid");
  ViewPlan plan;
  plan.order_BL = noise_BL.cpu().argsort(/*stable=*/true, /*dim=*/1).contiguous();
  plan.cpu_order_BL = plan.order_BL;
  plan.neighbours_BL9 = at::empty({batch, patches, 9}, at::kInt);
  const std::vector<int64_t> view_of_slot = views_of_slots(sizes);
  const int64_t* order = plan.order_BL.const_data_ptr<int64_t>();
  int32_t* neighbours = plan.neighbours_BL9.mutable_data_ptr<int32_t>();
  at::parallel_for(0, batch, 8, [&](int64_t begin, int64_t end) {
    for (int64_t image = begin; image < end; ++image) {
      connect(order + image * patches, view_of_slot.data(), grid, neighbours + image * patches * 9);
    }
  });
  plan.sizes = std::move(sizes);
  plan.kept = kept;
  plan.grid = grid;
  for (const ViewRun& run : plan.kept_runs()) {
    plan.hidden_slots_GH.push_back(hidden_slots(run, patches));
  }
  return plan;
}

ViewPlan plan_for_samples(std::span<const int64_t> sample_ids, uint64_t seed, uint64_t epoch,
                          Grid grid, const MaskOptions& options) {
  std::vector<int64_t> sizes = view_sizes(grid.patches(), options);
  const int64_t kept = kept_views(sizes, options);
  const auto batch = static_cast<int64_t>(sample_ids.size());
  at::Tensor noise_BL = at::empty({batch, grid.patches()}, at::kDouble);
  auto* noise = noise_BL.mutable_data_ptr<double>();
  for (int64_t image = 0; image < batch; ++image) {
    KeyedRandom random(seed, Purpose::kMask, epoch,
                       static_cast<uint64_t>(sample_ids[static_cast<size_t>(image)]));
    for (int64_t patch = 0; patch < grid.patches(); ++patch) {
      *noise++ = random.uniform_double();
    }
  }
  return plan_from_noise(noise_BL, grid, std::move(sizes), kept);
}

int64_t drawn_patches(int64_t hidden, double share) {
  if (hidden == 0) return 0;
  return std::max<int64_t>(1, std::llround(share * static_cast<double>(hidden)));
}

ViewPlan with_drawn_share(ViewPlan plan, double share) {
  const std::vector<ViewRun> runs = plan.kept_runs();
  for (size_t run = 0; run < runs.size(); ++run) {
    at::Tensor& slots_GH = plan.hidden_slots_GH[run];
    const int64_t hidden = slots_GH.size(1), drawn = drawn_patches(hidden, share);
    if (drawn == hidden) continue;
    const at::Tensor taken_GH = at::empty({runs[run].views, drawn}, at::kLong);
    auto* taken = taken_GH.mutable_data_ptr<int64_t>();
    for (int64_t view = runs[run].first_view; view < runs[run].first_view + runs[run].views;
         ++view) {
      for (int64_t i = 0; i < drawn; ++i) {
        *taken++ = (i * plan.kept + view) * hidden / (drawn * plan.kept);
      }
    }
    slots_GH = slots_GH.gather(1, taken_GH);
  }
  return plan;
}

ViewPlan full_plan(int64_t batch, Grid grid) {
  const at::Tensor raster = at::arange(grid.patches(), at::kDouble).expand({batch, -1});
  return plan_from_noise(raster, grid, {grid.patches()}, 1);
}

namespace {

// Interleaves the bits of row and column; bit 0 is the column's.
int64_t morton(int64_t row, int64_t col) {
  int64_t code = 0;
  for (int bit = 0; row >> bit != 0 || col >> bit != 0; ++bit) {
    code |= (col >> bit & 1) << (2 * bit) | (row >> bit & 1) << (2 * bit + 1);
  }
  return code;
}

}  // namespace

ViewPlan plan_of_windows(int64_t batch, Grid grid, int64_t window) {
  if (window < 1 || grid.patches() < 1 || grid.rows % window != 0 || grid.cols % window != 0) {
    fail(ExitCode::kUsage,
         "windows of {0} x {0} patches do not tile an image of {1} x {2} patches; pad images "
         "until rows and columns are multiples of {0} patches, or use windows that divide them",
         window, grid.rows, grid.cols);
  }
  std::vector<std::pair<int64_t, int64_t>> inside;  // Morton code, raster index in the first window
  for (int64_t row = 0; row < window; ++row) {
    for (int64_t col = 0; col < window; ++col) {
      inside.emplace_back(morton(row, col), row * grid.cols + col);
    }
  }
  std::ranges::sort(inside);
  ViewPlan plan;
  plan.grid = grid;
  plan.sizes.assign(static_cast<size_t>(grid.patches() / (window * window)), window * window);
  plan.kept = std::ssize(plan.sizes);
  at::Tensor order_L = at::empty({grid.patches()}, at::kLong);
  auto* order = order_L.mutable_data_ptr<int64_t>();
  int64_t slot = 0;
  for (int64_t row = 0; row < grid.rows; row += window) {
    for (int64_t col = 0; col < grid.cols; col += window) {
      for (const auto& [code, patch] : inside) order[slot++] = row * grid.cols + col + patch;
    }
  }
  at::Tensor neighbours_L9 = at::empty({grid.patches(), 9}, at::kInt);
  connect(order, nullptr, grid, neighbours_L9.mutable_data_ptr<int32_t>());
  plan.order_BL = order_L.expand({batch, -1}).contiguous();
  plan.cpu_order_BL = plan.order_BL;
  plan.neighbours_BL9 = neighbours_L9.expand({batch, -1, -1}).contiguous();
  for (const ViewRun& run : plan.kept_runs()) {
    plan.hidden_slots_GH.push_back(hidden_slots(run, grid.patches()));
  }
  return plan;
}

ViewPlan unmasked(const ViewPlan& plan) {
  const at::Tensor slot_of_patch_BL = plan.order_BL.argsort(/*stable=*/true, /*dim=*/1);
  return plan_from_noise(slot_of_patch_BL.to(at::kDouble), plan.grid, {plan.patches()}, 1)
      .to(plan.order_BL.device());
}

}  // namespace fcm::masks
