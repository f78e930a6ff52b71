#include "fcm/ops/layer_norm/passes.h"

#include <ATen/ATen.h>

#include "fcm/ops/cuda/place.h"
#include "fcm/ops/layer_norm/cuda.h"
#include "fcm/ops/layer_norm/kernel.h"
#include "fcm/ops/profile_scope.h"
#include "fcm/ops/simd/blocks.h"
#include "fcm/ops/simd/dispatch.h"

namespace fcm::ops {
namespace {

constexpr int64_t kElementsPerBlock = 16384;  // enough work to be worth a thread

Blocks rows_in_blocks(int64_t rows, int64_t channels) {
  return make_blocks(rows, std::max<int64_t>(1, kElementsPerBlock / channels));
}

// T: element type, A: type of statistics and parameters. All tensors are contiguous.
template <class T, class A>
void run_forward(void (*kernel)(const LayerNormForward<T, A>&), const at::Tensor& x,
                 const at::Tensor& weight, const at::Tensor& bias, double epsilon,
                 const at::Tensor& y, const at::Tensor& statistics) {
  const int64_t channels = x.size(-1), rows = x.numel() / channels;
  LayerNormForward<T, A> all;
  all.rows = rows;
  all.channels = channels;
  all.epsilon = static_cast<A>(epsilon);
  all.x = static_cast<const T*>(x.const_data_ptr());
  all.weight = weight.const_data_ptr<A>();
  all.bias = bias.const_data_ptr<A>();
  all.y = static_cast<T*>(y.data_ptr());
  all.mean = statistics.data_ptr<A>();
  all.inverse_std = all.mean + rows;
  if (on_cuda(x, {weight, bias})) return layer_norm_forward_cuda(all, cuda_stream_for(x));
  const Blocks blocks = rows_in_blocks(rows, channels);
  for_each_block(blocks, [&](int64_t block) {
    LayerNormForward<T, A> part = all;
    const int64_t first = blocks.begin(block);
    part.rows = blocks.size(block);
    part.x += first * channels;
    part.y += first * channels;
    part.mean += first;
    part.inverse_std += first;
    kernel(part);
  });
}

// Returns the sums over all rows [2, C]: gradients of weight and bias.
template <class T, class A>
at::Tensor run_backward(void (*kernel)(const LayerNormBackward<T, A>&), const at::Tensor& dy,
                        const at::Tensor& x, const at::Tensor& weight, const at::Tensor& statistics,
                        const at::Tensor& plus, const at::Tensor& dx) {
  const int64_t channels = x.size(-1), rows = x.numel() / channels;
  LayerNormBackward<T, A> all;
  all.rows = rows;
  all.channels = channels;
  all.dy = static_cast<const T*>(dy.const_data_ptr());
  all.x = static_cast<const T*>(x.const_data_ptr());
  all.weight = weight.const_data_ptr<A>();
  all.mean = statistics.const_data_ptr<A>();
  all.inverse_std = all.mean + rows;
  all.plus = plus.defined() ? static_cast<const T*>(plus.const_data_ptr()) : nullptr;
  all.dx = static_cast<T*>(dx.data_ptr());
  if (on_cuda(x, {dy, weight, statistics, plus})) {
    const at::Tensor sums = at::empty({2, channels}, weight.options());
    const at::Tensor parts = at::empty({layer_norm_parts_cuda(rows), 2, channels}, sums.options());
    layer_norm_backward_cuda(all, parts.data_ptr<A>(), sums.data_ptr<A>(), cuda_stream_for(x));
    return sums;
  }
  const Blocks blocks = rows_in_blocks(rows, channels);
  const at::Tensor partial = at::empty({blocks.count(), 2, channels}, weight.options());
  all.dweight = partial.data_ptr<A>();
  all.dbias = all.dweight + channels;
  for_each_block(blocks, [&](int64_t block) {
    LayerNormBackward<T, A> part = all;
    const int64_t first = blocks.begin(block);
    part.rows = blocks.size(block);
    part.dy += first * channels;
    part.x += first * channels;
    part.mean += first;
    part.inverse_std += first;
    if (part.plus != nullptr) part.plus += first * channels;
    part.dx += first * channels;
    part.dweight += block * 2 * channels;
    part.dbias += block * 2 * channels;
    kernel(part);
  });
  return partial.sum(0);
}

const LayerNormKernels& kernels(Isa isa) {
  return pick(isa, layer_norm_plain, layer_norm_avx2, layer_norm_avx512, layer_norm_amx);
}

}  // namespace

Normalised layer_norm_forward(Isa isa, const at::Tensor& x, const at::Tensor& weight_C,
                              const at::Tensor& bias_C, double epsilon) {
  const ProfileScope timed("layer_norm", 0, 2.0 * static_cast<double>(x.nbytes()));
  const auto wide = x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const at::Tensor weight = weight_C.to(wide).contiguous(), bias = bias_C.to(wide).contiguous();
  const Normalised result{at::empty_like(x),
                          at::empty({2, x.numel() / x.size(-1)}, weight.options())};
  const LayerNormKernels& k = kernels(isa);
  if (x.scalar_type() == at::kFloat) {
    run_forward(k.forward_float, x, weight, bias, epsilon, result.y, result.statistics_2M);
  } else if (x.scalar_type() == at::kBFloat16) {
    run_forward(k.forward_bfloat16, x, weight, bias, epsilon, result.y, result.statistics_2M);
  } else {
    run_forward(k.forward_double, x, weight, bias, epsilon, result.y, result.statistics_2M);
  }
  return result;
}

LayerNormGradients layer_norm_backward(Isa isa, const at::Tensor& dy, const at::Tensor& x,
                                       const at::Tensor& weight_C, const at::Tensor& statistics_2M,
                                       const at::Tensor& plus) {
  const ProfileScope timed("layer_norm gradient", 0,
                           (plus.defined() ? 4.0 : 3.0) * static_cast<double>(x.nbytes()));
  const at::Tensor weight = weight_C.to(statistics_2M.scalar_type()).contiguous();
  const at::Tensor dx = at::empty_like(x);
  const LayerNormKernels& k = kernels(isa);
  at::Tensor sums;
  if (x.scalar_type() == at::kFloat) {
    sums = run_backward(k.backward_float, dy, x, weight, statistics_2M, plus, dx);
  } else if (x.scalar_type() == at::kBFloat16) {
    sums = run_backward(k.backward_bfloat16, dy, x, weight, statistics_2M, plus, dx);
  } else {
    sums = run_backward(k.backward_double, dy, x, weight, statistics_2M, plus, dx);
  }
  return {dx, sums.select(0, 0), sums.select(0, 1)};
}

}  // namespace fcm::ops
