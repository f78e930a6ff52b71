#include "fcm/nn/layers.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numeric>
#include <utility>

#include "fcm/ops/gather_rows/op.h"
#include "fcm/ops/layer_norm/op.h"
#include "fcm/ops/linear/op.h"

namespace fcm::nn {

std::vector<int64_t> row_by_row(int64_t side) {
  std::vector<int64_t> order(static_cast<size_t>(side * side));
  std::iota(order.begin(), order.end(), 0);
  return order;
}

Linear::Linear(const Scope& scope, at::Tensor weight, at::Tensor bias)
    : weight_OI_(std::move(weight)),
      bias_O_(std::move(bias)),
      rounded_OI_(scope.rounded("weight")) {}

Linear::Linear(const Scope& scope, int64_t in, int64_t out, Init init)
    : weight_OI_(scope.add("weight", {out, in}, init)),
      bias_O_(scope.add("bias", {out}, Init::kZeros)),
      rounded_OI_(scope.rounded("weight")) {}

Init bias_init(Init weight) { return weight == Init::kLecunNormal ? Init::kZeros : Init::kFanIn; }

Linear Linear::convolution(const Scope& scope, int64_t channels, int64_t out, int64_t side,
                           const std::vector<int64_t>& order, Init weight_init) {
  at::Tensor weight = scope.add("weight", {out, channels, side, side}, weight_init,
                                {Layout::Kind::kMergeCells, order});
  at::Tensor bias = scope.add("bias", {out}, bias_init(weight_init), {}, channels * side * side);
  return {scope, std::move(weight), std::move(bias)};
}

Linear Linear::reordered(const Scope& scope, int64_t in, int64_t out, const Layout& layout) {
  at::Tensor weight = scope.add("weight", {out, in}, Init::kXavierUniform, layout);
  at::Tensor bias = scope.add("bias", {out}, Init::kZeros, layout);
  return {scope, std::move(weight), std::move(bias)};
}

Linear Linear::pointwise(const Scope& scope, int64_t in, int64_t out, const Layout& layout) {
  at::Tensor weight = scope.add("weight", {out, in, 1, 1}, Init::kFanIn, layout);
  at::Tensor bias = scope.add("bias", {out}, Init::kFanIn, layout, in);
  return {scope, std::move(weight), std::move(bias)};
}

Linear Linear::without_bias(const Scope& scope, int64_t in, int64_t out, Init init,
                            const Layout& layout) {
  at::Tensor weight = scope.add("weight", {out, in}, init, layout);
  const at::Tensor bias = at::zeros({out}, weight.options().requires_grad(false));
  return {scope, std::move(weight), bias};
}

at::Tensor Linear::operator()(const at::Tensor& x) const {
  return ops::linear(x, weight_OI_, bias_O_, rounded_OI_);
}

// Scaling the weights is cheap: they are few compared to the rows that they multiply.
ops::ProductWeights scaled(const ops::ProductWeights& product, const at::Tensor& gamma_O) {
  if (!gamma_O.defined()) return product;
  return {product.weight_OI * gamma_O.unsqueeze(1), product.bias_O * gamma_O, {}};
}

LayerNorm::LayerNorm(const Scope& scope, int64_t dim, double epsilon, const Layout& layout)
    : weight_C_(scope.add("weight", {dim}, Init::kOnes, layout)),
      bias_C_(scope.add("bias", {dim}, Init::kZeros, layout)),
      epsilon_(epsilon) {}

at::Tensor LayerNorm::operator()(const at::Tensor& x) const {
  return ops::layer_norm(x, weight_C_, bias_C_, epsilon_);
}

namespace {
int64_t hidden_width(int64_t dim, double ratio) {
  return static_cast<int64_t>(ratio * static_cast<double>(dim));
}
}  // namespace

MlpBranch MlpBranch::linear(const Scope& norm, const Scope& mlp, int64_t dim, double ratio,
                            double epsilon, Init init) {
  const int64_t hidden = hidden_width(dim, ratio);
  LayerNorm before(norm, dim, epsilon);
  Linear fc1(mlp / "fc1", dim, hidden, init);
  Linear fc2(mlp / "fc2", hidden, dim, init);
  return {std::move(before), std::move(fc1), std::move(fc2)};
}

MlpBranch MlpBranch::pointwise(const Scope& norm, const Scope& mlp, int64_t dim, double ratio,
                               double epsilon, Init init) {
  const int64_t hidden = hidden_width(dim, ratio);
  LayerNorm before(norm, dim, epsilon);
  Linear fc1 = Linear::convolution(mlp / "fc1", dim, hidden, 1, {0}, init);
  Linear fc2 = Linear::convolution(mlp / "fc2", hidden, dim, 1, {0}, init);
  return {std::move(before), std::move(fc1), std::move(fc2)};
}

at::Tensor MlpBranch::operator()(const at::Tensor& x, const at::Tensor& scale_B,
                                 const at::Tensor& gamma_C) const {
  return ops::mlp_branch(x, norm_.weights(), fc1_.weights(), scaled(fc2_.weights(), gamma_C),
                         scale_B);
}

Block::Block(const Scope& scope, int64_t dim, int64_t heads, double mlp_ratio, double norm_epsilon)
    : heads_(heads),
      norm1_(scope / "norm1", dim, norm_epsilon),
      qkv_(scope / "attn" / "qkv", dim, 3 * dim),
      proj_(scope / "attn" / "proj", dim, dim),
      mlp_(MlpBranch::linear(scope / "norm2", scope / "mlp", dim, mlp_ratio, norm_epsilon)) {}

at::Tensor Block::operator()(const at::Tensor& x_NTC, const BranchScales& scales,
                             int64_t first_token) const {
  const at::Tensor mixed_NTC =
      ops::attention_branch(x_NTC, norm1_.weights(), qkv_.weights(), proj_.weights(), heads_,
                            scales.first_B, first_token);
  return mlp_(mixed_NTC, scales.second_B);
}

at::Tensor Block::of_rows(const at::Tensor& rows_RC, const at::Tensor& indices_NT,
                          int64_t first_token) const {
  const at::Tensor mixed_NTC = ops::attention_branch_of_rows(
      rows_RC, indices_NT, norm1_.weights(), qkv_.weights(), proj_.weights(), heads_, first_token);
  return mlp_(mixed_NTC, {});
}

Blocks::Blocks(const Scope& scope, std::string name, int64_t depth, int64_t dim, int64_t heads,
               double mlp_ratio, double norm_epsilon)
    : name_(std::move(name)) {
  for (int64_t i = 0; i < depth; ++i)
    blocks_.emplace_back(scope / name_ / i, dim, heads, mlp_ratio, norm_epsilon);
}

at::Tensor Blocks::operator()(at::Tensor x_NTC, const Observer& observer, const DropPath& drop_path,
                              int64_t first, int64_t first_token) const {
  if (observer) observer(name_ + "_in", x_NTC);
  return from(0, std::move(x_NTC), observer, drop_path, first, first_token);
}

at::Tensor Blocks::of_rows(const at::Tensor& rows_RC, const at::Tensor& indices_NT,
                           const Observer& observer, int64_t first_token) const {
  if (blocks_.empty()) return (*this)(ops::gather_rows(rows_RC, indices_NT), observer);
  if (observer) observer(name_ + "_in", ops::gather_rows(rows_RC, indices_NT));
  const at::Tensor x_NTC =
      blocks_[0].of_rows(rows_RC, indices_NT, blocks_.size() == 1 ? first_token : 0);
  observe(observer, name_, 0, x_NTC);
  return from(1, x_NTC, observer, {}, 0, first_token);
}

at::Tensor Blocks::from(size_t index, at::Tensor x_NTC, const Observer& observer,
                        const DropPath& drop_path, int64_t first, int64_t first_token) const {
  for (; index < blocks_.size(); ++index) {
    const auto i = static_cast<int64_t>(index);
    const bool last = index + 1 == blocks_.size();
    x_NTC = blocks_[index](x_NTC, branch_scales(drop_path, first + i), last ? first_token : 0);
    observe(observer, name_, i, x_NTC);
  }
  return x_NTC;
}

at::Tensor sincos_positions(int64_t rows, int64_t cols, int64_t dim, int64_t class_tokens) {
  at::Tensor table = at::zeros({1, class_tokens + rows * cols, dim}, at::kFloat);
  auto* out = table.mutable_data_ptr<float>() + class_tokens * dim;
  const int64_t quarter = dim / 4;
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t col = 0; col < cols; ++col, out += dim) {
      for (int64_t i = 0; i < quarter; ++i) {
        const double rate =
            std::pow(10000.0, -static_cast<double>(i) / static_cast<double>(quarter));
        out[i] = static_cast<float>(std::sin(static_cast<double>(col) * rate));
        out[quarter + i] = static_cast<float>(std::cos(static_cast<double>(col) * rate));
        out[2 * quarter + i] = static_cast<float>(std::sin(static_cast<double>(row) * rate));
        out[3 * quarter + i] = static_cast<float>(std::cos(static_cast<double>(row) * rate));
      }
    }
  }
  return table;
}

}  // namespace fcm::nn
