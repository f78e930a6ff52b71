// Elementwise kernels: one read, the arithmetic of kernel.inc, one write. The polynomials take
// about 20 operations in bfloat16, so the kernels stay memory-bound.
#include "fcm/ops/cuda/flat.h"
#include "fcm/ops/cuda/sum_parts.h"
#include "fcm/ops/cuda/warp.h"
#include "fcm/ops/gelu/cuda.h"
#include "fcm/ops/linear/column_sums.h"

namespace fcm::ops {
namespace {

template <class A>
struct Normal {
  A distribution;  // Phi(x)
  A density;       // phi(x)
};

// The upper tail is exp(-a^2 / 2) * R(a), with the constants of kernel.inc.
__device__ inline Normal<float> normal(float x, float /*type*/) {
  const float a = fminf(fabsf(x), 14.5f);
  const float half = a * -0.5f, exponent = half * a;
  const float error = fmaf(half, a, -exponent);  // rounding error of the square
  const float gauss = expf(exponent) * (1 + error);
  const float inverse = 1 / (a + 3.5f);
  const float q = (a - 3.5f) * inverse;
  float p = 1.1068861350e-4f;
  p = fmaf(p, q, 4.2189685756e-4f);
  p = fmaf(p, q, -4.9494310626e-4f);
  p = fmaf(p, q, -3.1753099858e-3f);
  p = fmaf(p, q, 6.4931157724e-3f);
  p = fmaf(p, q, 1.7406378240e-2f);
  p = fmaf(p, q, -1.1605304078e-1f);
  p = fmaf(p, q, 3.1542504874e-1f);
  p = fmaf(p, q, -5.6556174511e-1f);
  p = fmaf(p, q, 7.4441607414e-1f);
  const float tail = gauss * (p * inverse);
  return {x < 0 ? tail : 1 - tail, gauss * 0.3989422804f};
}

__device__ inline Normal<float> normal(float x, Bfloat16 /*type*/) {
  const float a = fminf(fabsf(x), 14.5f);
  const float gauss = __expf(a * a * -0.5f);
  const float inverse = __fdividef(1.0f, a + 4.0f);
  const float q = (a - 4.0f) * inverse;
  float p = 6.0021172322e-2f;
  p = fmaf(p, q, -1.8997349365e-1f);
  p = fmaf(p, q, 3.8706242417e-1f);
  p = fmaf(p, q, -6.0754821096e-1f);
  p = fmaf(p, q, 7.5528140981e-1f);
  const float tail = gauss * (p * inverse);
  return {x < 0 ? tail : 1 - tail, gauss * 0.3989422804f};
}

__device__ inline Normal<double> normal(double x, double /*type*/) {
  return {0.5 * erfc(-x * 0.70710678118654752), 0.39894228040143268 * exp(-0.5 * x * x)};
}

template <class T, int N>
__global__ void __launch_bounds__(kFlatThreads) forward(const T* x, T* y, int64_t count) {
  along_flat<N>(count, [&](int64_t first) {
    Wide<T> values[N];
    load<T, N>(x + first, values);
    for (int i = 0; i < N; ++i) values[i] *= normal(values[i], T{}).distribution;
    store<T, N>(y + first, values);
  });
}

// Backward of N elements. dx holds dy and is multiplied by the derivative; x becomes gelu(x).
template <class T, int N>
__device__ inline void backward_in_place(Wide<T> (&x)[N], Wide<T> (&dx)[N]) {
#pragma unroll
  for (int i = 0; i < N; ++i) {
    const Normal<Wide<T>> n = normal(x[i], T{});
    dx[i] *= fma(x[i], n.density, n.distribution);
    x[i] *= n.distribution;
  }
}

template <class T, int N>
__global__ void __launch_bounds__(kFlatThreads) backward(GeluBackwardRecompute<T> a) {
  along_flat<N>(a.count, [&](int64_t first) {
    Wide<T> x[N], dx[N];
    load<T, N>(a.x + first, x);
    load<T, N>(a.dy + first, dx);
    backward_in_place<T, N>(x, dx);
    store<T, N>(a.dx + first, dx);
  });
}

// A block takes a strip of columns, 32 accesses wide, and a part of the rows, which its warps
// divide. Every lane keeps the column sums of its access.
constexpr int kStripWarps = kFlatThreads / kWarp;

template <class T, int N>
__global__ void __launch_bounds__(kFlatThreads)
    backward_recompute(GeluBackwardRecompute<T> a, int64_t channels, Wide<T>* parts) {
  using A = Wide<T>;
  const int64_t column = (static_cast<int64_t>(blockIdx.x) * kWarp + lane()) * N;
  const bool inside = column < channels;
  A sums[N] = {};
  const int64_t first_row = static_cast<int64_t>(blockIdx.y) * kStripWarps + warp();
  const int64_t stride = static_cast<int64_t>(gridDim.y) * kStripWarps * channels;
  for (int64_t at = first_row * channels + column; inside && at < a.count; at += stride) {
    A x[N], dx[N];
    load<T, N>(a.x + at, x);
    load<T, N>(a.dy + at, dx);
    backward_in_place<T, N>(x, dx);
    store<T, N>(a.dx + at, dx);
    store<T, N>(a.y + at, x);
#pragma unroll
    for (int n = 0; n < N; ++n) sums[n] += dx[n];
  }
  A* of_warp = static_cast<A*>(shared_memory());  // [kStripWarps, N, 32]
#pragma unroll
  for (int n = 0; n < N; ++n) of_warp[(warp() * N + n) * kWarp + lane()] = sums[n];
  __syncthreads();
  if (warp() != 0 || !inside) return;
  for (int other = 1; other < kStripWarps; ++other) {
#pragma unroll
    for (int n = 0; n < N; ++n) sums[n] += of_warp[(other * N + n) * kWarp + lane()];
  }
#pragma unroll
  for (int n = 0; n < N; ++n) parts[blockIdx.y * channels + column + n] = sums[n];
}

template <class T, class A, int N>
__global__ void __launch_bounds__(kFlatThreads) of_product(GeluOfProduct<T, A> a) {
  const auto row = static_cast<unsigned>(a.channels / N);  // accesses
  along_flat<N>(a.rows * a.channels, [&](int64_t first) {
    A x[N], bias[N];
    load<T, N>(a.x + first, x);
    load<A, N>(a.bias + static_cast<unsigned>(first / N) % row * N, bias);
    for (int i = 0; i < N; ++i) x[i] += bias[i];
    store<T, N>(a.x + first, x);
    for (int i = 0; i < N; ++i) {
      x[i] = rounded<T>(x[i]);  // the value that backward will read
      x[i] *= normal(x[i], T{}).distribution;
    }
    store<T, N>(a.y + first, x);
  });
}

template <class T>
void run_forward(const T* x, T* y, int64_t count, CudaStream stream) {
  constexpr int N = kLanes<T>;
  if (aligned_rows(x, count) && aligned(y)) {
    launch(flat_shape("gelu", count, N, stream), forward<T, N>, x, y, count);
  } else {
    launch(flat_shape("gelu", count, 1, stream), forward<T, 1>, x, y, count);
  }
}

template <class T>
void run_backward(const GeluBackwardRecompute<T>& pass, CudaStream stream) {
  constexpr int N = kLanes<T>;
  if (aligned_rows(pass.x, pass.count) && aligned(pass.dy) && aligned(pass.dx)) {
    launch(flat_shape("gelu gradient", pass.count, N, stream), backward<T, N>, pass);
  } else {
    launch(flat_shape("gelu gradient", pass.count, 1, stream), backward<T, 1>, pass);
  }
}

template <class T, int N>
void run_strips(const GeluBackwardRecompute<T>& pass, int64_t channels, Wide<T>* parts,
                CudaStream stream) {
  const int64_t strips = (channels + kWarp * N - 1) / (kWarp * N);
  const size_t shared_bytes = size_t{kFlatThreads} * N * sizeof(Wide<T>);
  launch(
      {"gelu gradient, gelu again", strips, column_sums_parts_cuda(pass.count / channels, channels),
       kFlatThreads, shared_bytes, stream},
      backward_recompute<T, N>, pass, channels, parts);
}

template <class T>
void run_recompute(const GeluBackwardRecompute<T>& pass, int64_t channels, Wide<T>* parts,
                   Wide<T>* sums, CudaStream stream) {
  const bool fits =
      aligned_rows(pass.x, channels) && aligned(pass.dy) && aligned(pass.dx) && aligned(pass.y);
  if (fits) {
    run_strips<T, kLanes<T>>(pass, channels, parts, stream);
  } else {
    run_strips<T, 1>(pass, channels, parts, stream);
  }
  sum_parts_cuda(parts, column_sums_parts_cuda(pass.count / channels, channels), channels, sums,
                 stream);
}

template <class T, class A>
void run_of_product(const GeluOfProduct<T, A>& pass, CudaStream stream) {
  constexpr int N = kLanes<T>;
  const int64_t count = pass.rows * pass.channels;
  const bool fits = aligned_rows(pass.x, pass.channels) && aligned(pass.y) && aligned(pass.bias);
  // The column index uses 32-bit division.
  if (count / (fits ? N : 1) > UINT32_MAX) {
    launch_refused("gelu of a product",
                   "expected at most 2^32 accesses; use a smaller micro-batch");
  }
  if (fits) {
    launch(flat_shape("gelu of a product", count, N, stream), of_product<T, A, N>, pass);
  } else {
    launch(flat_shape("gelu of a product", count, 1, stream), of_product<T, A, 1>, pass);
  }
}

}  // namespace

void gelu_forward_cuda(const float* x, float* y, int64_t count, CudaStream stream) {
  run_forward(x, y, count, stream);
}
void gelu_forward_cuda(const Bfloat16* x, Bfloat16* y, int64_t count, CudaStream stream) {
  run_forward(x, y, count, stream);
}
void gelu_forward_cuda(const double* x, double* y, int64_t count, CudaStream stream) {
  run_forward(x, y, count, stream);
}
void gelu_backward_cuda(const GeluBackwardRecompute<float>& pass, CudaStream stream) {
  run_backward(pass, stream);
}
void gelu_backward_cuda(const GeluBackwardRecompute<Bfloat16>& pass, CudaStream stream) {
  run_backward(pass, stream);
}
void gelu_backward_cuda(const GeluBackwardRecompute<double>& pass, CudaStream stream) {
  run_backward(pass, stream);
}
void gelu_backward_recompute_cuda(const GeluBackwardRecompute<float>& pass, int64_t channels,
                                  float* parts, float* sums, CudaStream stream) {
  run_recompute(pass, channels, parts, sums, stream);
}
void gelu_backward_recompute_cuda(const GeluBackwardRecompute<Bfloat16>& pass, int64_t channels,
                                  float* parts, float* sums, CudaStream stream) {
  run_recompute(pass, channels, parts, sums, stream);
}
void gelu_backward_recompute_cuda(const GeluBackwardRecompute<double>& pass, int64_t channels,
                                  double* parts, double* sums, CudaStream stream) {
  run_recompute(pass, channels, parts, sums, stream);
}
void gelu_of_product_cuda(const GeluOfProduct<float, float>& pass, CudaStream stream) {
  run_of_product(pass, stream);
}
void gelu_of_product_cuda(const GeluOfProduct<Bfloat16, float>& pass, CudaStream stream) {
  run_of_product(pass, stream);
}
void gelu_of_product_cuda(const GeluOfProduct<double, double>& pass, CudaStream stream) {
  run_of_product(pass, stream);
}

}  // namespace fcm::ops
