#include "fcm/ops/gelu/passes.h"

#include <ATen/ATen.h>

#include "fcm/ops/cuda/place.h"
#include "fcm/ops/gelu/cuda.h"
#include "fcm/ops/gelu/kernel.h"
#include "fcm/ops/linear/column_sums.h"
#include "fcm/ops/profile_scope.h"
#include "fcm/ops/simd/blocks.h"
#include "fcm/ops/simd/dispatch.h"

namespace fcm::ops {
namespace {

constexpr int64_t kElementsPerBlock = 16384;

const GeluKernels& kernels(Isa isa) {
  return pick(isa, gelu_plain, gelu_avx2, gelu_avx512, gelu_amx);
}

template <class T>
void run_forward(void (*kernel)(const T*, T*, int64_t), const at::Tensor& x, const at::Tensor& y) {
  const T* from = static_cast<const T*>(x.const_data_ptr());
  T* to = static_cast<T*>(y.data_ptr());
  if (on_cuda(x)) return gelu_forward_cuda(from, to, x.numel(), cuda_stream_for(x));
  const Blocks blocks = make_blocks(x.numel(), kElementsPerBlock);
  for_each_block(blocks, [&](int64_t block) {
    const int64_t first = blocks.begin(block);
    kernel(from + first, to + first, blocks.size(block));
  });
}

template <class T>
void run_backward(void (*kernel)(const T*, const T*, T*, int64_t), const at::Tensor& dy,
                  const at::Tensor& x, const at::Tensor& dx) {
  const T* gradient = static_cast<const T*>(dy.const_data_ptr());
  const T* from = static_cast<const T*>(x.const_data_ptr());
  T* to = static_cast<T*>(dx.data_ptr());
  if (on_cuda(x)) {
    return gelu_backward_cuda({x.numel(), gradient, from, to, /*y=*/nullptr}, cuda_stream_for(x));
  }
  const Blocks blocks = make_blocks(x.numel(), kElementsPerBlock);
  for_each_block(blocks, [&](int64_t block) {
    const int64_t first = blocks.begin(block);
    kernel(gradient + first, from + first, to + first, blocks.size(block));
  });
}

template <class T, class A>
void run_of_product(void (*kernel)(const GeluOfProduct<T, A>&), const at::Tensor& x,
                    const at::Tensor& bias, const at::Tensor& y) {
  GeluOfProduct<T, A> all;
  all.rows = x.size(0);
  all.channels = x.size(1);
  all.x = static_cast<T*>(x.data_ptr());
  all.bias = bias.const_data_ptr<A>();
  all.y = static_cast<T*>(y.data_ptr());
  if (on_cuda(x)) return gelu_of_product_cuda(all, cuda_stream_for(x));
  const Blocks blocks =
      make_blocks(x.size(0), std::max<int64_t>(1, kElementsPerBlock / all.channels));
  for_each_block(blocks, [&](int64_t block) {
    GeluOfProduct<T, A> part = all;
    part.rows = blocks.size(block);
    part.x += blocks.begin(block) * all.channels;
    part.y += blocks.begin(block) * all.channels;
    kernel(part);
  });
}

template <class T, class A>
at::Tensor run_recompute_on_cuda(const GeluBackwardRecompute<T>& pass, const at::Tensor& x) {
  const int64_t rows = x.size(0), channels = x.size(1);
  const at::Tensor sums_C =
      at::empty({channels}, x.options().dtype(c10::promoteTypes(x.scalar_type(), at::kFloat)));
  const at::Tensor parts =
      at::empty({column_sums_parts_cuda(rows, channels), channels}, sums_C.options());
  gelu_backward_recompute_cuda(pass, channels, parts.data_ptr<A>(), sums_C.data_ptr<A>(),
                               cuda_stream_for(x));
  return sums_C;
}

// Returns the column sums on a GPU, otherwise an undefined tensor.
template <class T, class A>
at::Tensor run_recompute(void (*kernel)(const GeluBackwardRecompute<T>&),
                         const at::Tensor& gradient, const at::Tensor& x, const at::Tensor& y) {
  GeluBackwardRecompute<T> all;
  all.count = x.numel();
  all.x = static_cast<const T*>(x.const_data_ptr());
  all.dx = static_cast<T*>(gradient.data_ptr());
  all.dy = all.dx;
  all.y = static_cast<T*>(y.data_ptr());
  if (on_cuda(x)) return run_recompute_on_cuda<T, A>(all, x);
  const Blocks blocks = make_blocks(x.numel(), kElementsPerBlock);
  for_each_block(blocks, [&](int64_t block) {
    GeluBackwardRecompute<T> part = all;
    const int64_t first = blocks.begin(block);
    part.count = blocks.size(block);
    part.x += first;
    part.dx += first;
    part.dy += first;
    part.y += first;
    kernel(part);
  });
  return {};
}

}  // namespace

at::Tensor gelu_forward(Isa isa, const at::Tensor& x) {
  const ProfileScope timed("gelu", 0, 2.0 * static_cast<double>(x.nbytes()));
  const at::Tensor y = at::empty_like(x);
  const GeluKernels& k = kernels(isa);
  if (x.scalar_type() == at::kFloat) {
    run_forward(k.forward_float, x, y);
  } else if (x.scalar_type() == at::kBFloat16) {
    run_forward(k.forward_bfloat16, x, y);
  } else {
    run_forward(k.forward_double, x, y);
  }
  return y;
}

at::Tensor gelu_backward(Isa isa, const at::Tensor& dy, const at::Tensor& x) {
  const ProfileScope timed("gelu gradient", 0, 3.0 * static_cast<double>(x.nbytes()));
  const at::Tensor dx = at::empty_like(x);
  const GeluKernels& k = kernels(isa);
  if (x.scalar_type() == at::kFloat) {
    run_backward(k.backward_float, dy, x, dx);
  } else if (x.scalar_type() == at::kBFloat16) {
    run_backward(k.backward_bfloat16, dy, x, dx);
  } else {
    run_backward(k.backward_double, dy, x, dx);
  }
  return dx;
}

at::Tensor gelu_of_product(Isa isa, const at::Tensor& x_MC, const at::Tensor& bias_C) {
  const ProfileScope timed("bias and gelu", 0, 3.0 * static_cast<double>(x_MC.nbytes()));
  const at::Tensor y_MC = at::empty_like(x_MC);
  const GeluKernels& k = kernels(isa);
  if (x_MC.scalar_type() == at::kFloat) {
    run_of_product(k.product_float, x_MC, bias_C.to(at::kFloat).contiguous(), y_MC);
  } else if (x_MC.scalar_type() == at::kBFloat16) {
    run_of_product(k.product_bfloat16, x_MC, bias_C.to(at::kFloat).contiguous(), y_MC);
  } else {
    run_of_product(k.product_double, x_MC, bias_C.to(at::kDouble).contiguous(), y_MC);
  }
  return y_MC;
}

GeluRecomputed gelu_backward_recompute(Isa isa, const at::Tensor& gradient_MC,
                                       const at::Tensor& x_MC) {
  const ProfileScope timed("gelu gradient, gelu again", 0,
                           4.0 * static_cast<double>(x_MC.nbytes()));
  GeluRecomputed result{at::empty_like(x_MC), {}};
  const GeluKernels& k = kernels(isa);
  if (x_MC.scalar_type() == at::kFloat) {
    result.sums_C = run_recompute<float, float>(k.recompute_float, gradient_MC, x_MC, result.y_MC);
  } else if (x_MC.scalar_type() == at::kBFloat16) {
    result.sums_C =
        run_recompute<Bfloat16, float>(k.recompute_bfloat16, gradient_MC, x_MC, result.y_MC);
  } else {
    result.sums_C =
        run_recompute<double, double>(k.recompute_double, gradient_MC, x_MC, result.y_MC);
  }
  return result;
}

}  // namespace fcm::ops
