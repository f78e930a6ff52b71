// Stochastic depth: residual branches that are left out for some pictures of a batch.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

namespace fcm::nn {

// What the two branches of a residual block are multiplied with, one number a picture, or one for
// each of the parts that a block sees by themselves, [B * parts] (windows); undefined: both are
// added as they are.
struct BranchScales {
  at::Tensor first_B, second_B;
};

// One entry a block, first to last; empty: nothing is dropped.
using DropPath = std::vector<BranchScales>;

// Drop probability of each block, from 0 at the first to `rate` at the last in equal steps. The
// published models (models_convvit.py, models_vit.py) take them from a float32 linspace; so do
// these.
std::vector<double> drop_path_rates(double rate, int64_t blocks);

// Draws keyed by (seed, epoch, sample id): floor(keep + U) / keep with keep = 1 - rate, for every
// block, branch and picture by itself. float32, on `device`. Empty where no rate is above 0.
// `parts`: of each block, how many parts of a picture are left out by themselves; none: one each.
DropPath draw_drop_path(const std::vector<double>& rates, uint64_t seed, uint64_t epoch,
                        std::span<const int64_t> sample_ids, at::Device device = at::kCPU,
                        const std::vector<int64_t>& parts = {});

// The scales of block `index`; undefined ones where nothing is dropped.
BranchScales branch_scales(const DropPath& drop_path, int64_t index);

// x + branch, each picture's branch times its scale. x, branch [B, ...]; scale_B [B] or undefined.
at::Tensor add_branch(const at::Tensor& x, const at::Tensor& branch, const at::Tensor& scale_B);

}  // namespace fcm::nn
