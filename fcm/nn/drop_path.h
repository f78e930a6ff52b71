// Stochastic depth: residual branches are dropped for some images of a batch.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

namespace fcm::nn {

// Factors of the two branches of a residual block, [B]: one value per image. [B * parts] if the
// block processes parts of an image (windows) separately. Undefined: added unscaled.
struct BranchScales {
  at::Tensor first_B, second_B;
};

// One entry per block, first to last; empty: nothing is dropped.
using DropPath = std::vector<BranchScales>;

// Drop probability of each block, from 0 at the first to `rate` at the last in equal steps (0 for a
// single block), from a float32 linspace as upstream (models_convvit.py, models_vit.py).
std::vector<double> drop_path_rates(double rate, int64_t blocks);

// Draws keyed by (seed, epoch, sample id): floor(keep + U) / keep with keep = 1 - rate and U
// uniform in [0, 1), independently for every block, branch and image. float32, on `device`. Empty
// if all rates are 0. `parts`: for each block, the number of parts of an image that are dropped
// independently; empty: one part per block.
DropPath draw_drop_path(const std::vector<double>& rates, uint64_t seed, uint64_t epoch,
                        std::span<const int64_t> sample_ids, at::Device device = at::kCPU,
                        const std::vector<int64_t>& parts = {});

// The scales of block `index`; undefined tensors if nothing is dropped.
BranchScales branch_scales(const DropPath& drop_path, int64_t index);

// x + branch, each image's branch times its scale. x, branch [B, ...]; scale_B [B] or undefined.
at::Tensor add_branch(const at::Tensor& x, const at::Tensor& branch, const at::Tensor& scale_B);

}  // namespace fcm::nn
