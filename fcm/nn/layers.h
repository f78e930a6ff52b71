// The layers that every model is built from. Each takes its scope in the tree of names and creates
// its own parameters. Results have the type of the input; weights may be of a wider type.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <utility>
#include <vector>

#include "fcm/nn/drop_path.h"
#include "fcm/nn/observer.h"
#include "fcm/nn/parameters.h"
#include "fcm/ops/branches/op.h"

namespace fcm::nn {

// 0..side*side-1: the kernel positions of a convolution in raster order. Pixels of a cell, and
// cells to be merged, are stored in this order.
std::vector<int64_t> row_by_row(int64_t side);

// Initialisation of a convolution's bias, given that of its weight: zero for kLecunNormal, as in
// upstream's detectors; otherwise PyTorch's default.
Init bias_init(Init weight);

// x [..., I] -> [..., O].
class Linear {
 public:
  // `init` for the weight; the bias is zero.
  Linear(const Scope& scope, int64_t in, int64_t out, Init init = Init::kXavierUniform);
  // A convolution with non-overlapping windows, or 1x1: published weight [O, C, p, p], input
  // already gathered as [..., p*p*C] with the positions in `order`. For the bias see bias_init.
  static Linear convolution(const Scope& scope, int64_t channels, int64_t out, int64_t side,
                            const std::vector<int64_t>& order, Init weight_init = Init::kFanIn);
  // With the rows of weight and bias reordered, for predictions of pixels in stored order.
  static Linear reordered(const Scope& scope, int64_t in, int64_t out, const Layout& layout);
  // `reordered` for a 1x1 convolution: published weight [O, I, 1, 1], PyTorch's initialisation.
  static Linear pointwise(const Scope& scope, int64_t in, int64_t out, const Layout& layout);
  // Without a bias; the columns of the weight are in the order of `layout`.
  static Linear without_bias(const Scope& scope, int64_t in, int64_t out, Init init,
                             const Layout& layout);

  at::Tensor operator()(const at::Tensor& x) const;
  ops::ProductWeights weights() const { return {weight_OI_, bias_O_, rounded_OI_}; }

 private:
  Linear(const Scope& scope, at::Tensor weight, at::Tensor bias);
  at::Tensor weight_OI_, bias_O_, rounded_OI_;
};

// A product with its outputs multiplied by gamma_O (LayerScale); unchanged if gamma_O is undefined.
ops::ProductWeights scaled(const ops::ProductWeights& product, const at::Tensor& gamma_O);

class LayerNorm {
 public:
  LayerNorm(const Scope& scope, int64_t dim, double epsilon, const Layout& layout = {});
  at::Tensor operator()(const at::Tensor& x) const;
  ops::NormWeights weights() const { return {weight_C_, bias_C_, epsilon_}; }

 private:
  at::Tensor weight_C_, bias_C_;
  double epsilon_;
};

// The second half of every block: x + scale * (Linear, exact GELU, Linear)(norm(x)).
class MlpBranch {
 public:
  // Parameters in the published order: `norm`, then those of the Mlp below `mlp`.
  static MlpBranch linear(const Scope& norm, const Scope& mlp, int64_t dim, double ratio,
                          double epsilon, Init init = Init::kXavierUniform);
  // As 1x1 convolutions: the same products; published shapes [O, I, 1, 1], initialised as
  // convolutions.
  static MlpBranch pointwise(const Scope& norm, const Scope& mlp, int64_t dim, double ratio,
                             double epsilon, Init init = Init::kFanIn);
  // x [B, ..., C] -> the same; scale_B as for ops::mlp_branch, gamma_C as for scaled().
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& scale_B,
                        const at::Tensor& gamma_C = {}) const;

 private:
  MlpBranch(LayerNorm norm, Linear fc1, Linear fc2)
      : norm_(std::move(norm)), fc1_(std::move(fc1)), fc2_(std::move(fc2)) {}
  LayerNorm norm_;
  Linear fc1_, fc2_;
};

// Epsilon of the LayerNorms in the upstream ViTs.
inline constexpr double kNormEpsilon = 1e-6;

// Pre-norm transformer block of the upstream ViTs: x [N, T, C] -> the same, or only its tokens from
// `first_token` on, [N, T - first_token, C].
class Block {
 public:
  Block(const Scope& scope, int64_t dim, int64_t heads, double mlp_ratio, double norm_epsilon);
  at::Tensor operator()(const at::Tensor& x_NTC, const BranchScales& scales = {},
                        int64_t first_token = 0) const;
  // For tokens that are rows of a matrix, as in ops::attention_branch_of_rows.
  at::Tensor of_rows(const at::Tensor& rows_RC, const at::Tensor& indices_NT,
                     int64_t first_token) const;

 private:
  int64_t heads_;
  LayerNorm norm1_;
  Linear qkv_, proj_;
  MlpBranch mlp_;
};

// `depth` blocks, one after another: x [N, T, C] -> the same shape. An observer receives
// "<name>_in" (input of the first block) and "<name>.<index>". `first` is the index of the first
// block in the whole network, for drop_path. The last block returns only the tokens from
// `first_token` on, [N, T - first_token, C]. of_rows takes tokens that are rows of a matrix; the
// first block then normalises and projects each row once, however many tokens use it.
class Blocks {
 public:
  Blocks(const Scope& scope, std::string name, int64_t depth, int64_t dim, int64_t heads,
         double mlp_ratio, double norm_epsilon = kNormEpsilon);
  at::Tensor operator()(at::Tensor x_NTC, const Observer& observer = {},
                        const DropPath& drop_path = {}, int64_t first = 0,
                        int64_t first_token = 0) const;
  at::Tensor of_rows(const at::Tensor& rows_RC, const at::Tensor& indices_NT,
                     const Observer& observer, int64_t first_token) const;
  int64_t depth() const { return static_cast<int64_t>(blocks_.size()); }

 private:
  // Runs the blocks from `index` on.
  at::Tensor from(size_t index, at::Tensor x_NTC, const Observer& observer,
                  const DropPath& drop_path, int64_t first, int64_t first_token) const;

  std::string name_;
  std::vector<Block> blocks_;
};

// Sine-cosine table [1, class_tokens + rows * cols, dim]: rows of zeros for class tokens, then the
// patches in raster order; the first half encodes the column, the second the row (upstream's
// order). float64 arithmetic, float32 result. dim must be a multiple of 4.
at::Tensor sincos_positions(int64_t rows, int64_t cols, int64_t dim, int64_t class_tokens = 0);

}  // namespace fcm::nn
