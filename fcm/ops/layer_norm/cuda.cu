// One warp per row. A row that fits stays in registers, K accesses of N elements per lane, and is
// read once. Wider rows, and rows that cannot be read in 16-byte accesses, are read again from the
// cache (K = 0, N = 1).
#include "fcm/ops/cuda/sum_parts.h"
#include "fcm/ops/cuda/vector.h"
#include "fcm/ops/cuda/warp.h"
#include "fcm/ops/layer_norm/cuda.h"

namespace fcm::ops {
namespace {

constexpr int kThreads = 256, kRows = kThreads / kWarp;  // rows of a block at a time
constexpr int kMostInRegisters = 32;                     // elements of a row per lane
// Elements of a row per lane in backward. More would not fit into 128 registers next to the sums
// for weight and bias.
template <class T>
constexpr int kMostBackward = sizeof(T) == 2   ? 32
                              : sizeof(T) == 4 ? 24
                                               : 8;

__device__ inline float inverse_root(float x) { return rsqrtf(x); }
__device__ inline double inverse_root(double x) { return 1 / sqrt(x); }

template <int K>
struct Constant {
  static constexpr int value = K;
};

// 16-byte accesses per lane with which a warp reads a row; 0: the row does not fit into registers.
template <class T>
int accesses(int64_t channels) {
  constexpr int64_t kOfWarp = kWarp * kLanes<T>;
  const int64_t count = (channels + kOfWarp - 1) / kOfWarp;
  return count * kLanes<T> <= kMostInRegisters ? static_cast<int>(count) : 0;
}

// Calls task(k, channel) for this lane's accesses to a row; channel is the first of N. If K is not
// 0, k is a compile-time constant.
template <int K, int N, class Task>
__device__ inline void along_row(int64_t channels, const Task& task) {
  if constexpr (K > 0) {
#pragma unroll
    for (int k = 0; k < K; ++k) {
      const int64_t channel = (k * kWarp + lane()) * N;
      if (channel < channels) task(k, channel);
    }
  } else {
    for (int64_t channel = lane() * N; channel < channels; channel += kWarp * N) task(0, channel);
  }
}

template <class T, class A, int K, int N>
__global__ void __launch_bounds__(kThreads) forward(LayerNormForward<T, A> a) {
  const int64_t row = static_cast<int64_t>(blockIdx.x) * kRows + warp();
  if (row >= a.rows) return;
  const T* x = a.x + row * a.channels;
  A held[K > 0 ? K : 1][N];
  A sum = 0, squares = 0;
  along_row<K, N>(a.channels, [&](int k, int64_t channel) {
    load<T, N>(x + channel, held[k]);
    for (int i = 0; i < N; ++i) sum += held[k][i];
  });
  const A mean = warp_sum(sum) / static_cast<A>(a.channels);
  along_row<K, N>(a.channels, [&](int k, int64_t channel) {
    if (K == 0) load<T, N>(x + channel, held[k]);
#pragma unroll
    for (int i = 0; i < N; ++i) squares += (held[k][i] - mean) * (held[k][i] - mean);
  });
  const A inverse_std = inverse_root(warp_sum(squares) / static_cast<A>(a.channels) + a.epsilon);
  along_row<K, N>(a.channels, [&](int k, int64_t channel) {
    if (K == 0) load<T, N>(x + channel, held[k]);
    A weight[N], y[N];
    load<A, N>(a.weight + channel, weight);
    load<A, N>(a.bias + channel, y);
    for (int i = 0; i < N; ++i) y[i] += (held[k][i] - mean) * inverse_std * weight[i];
    store<T, N>(a.y + row * a.channels + channel, y);
  });
  if (lane() == 0) {
    a.mean[row] = mean;
    a.inverse_std[row] = inverse_std;
  }
}

template <class T, class A>
struct Row {
  const T* dy;
  const T* x;
  const T* plus;
  T* dx;
  A mean, inverse_std;
  A mean_g = 0, mean_gn = 0;  // row means of g = dy * weight and of g * n, n the normalised row
};

template <class T, class A>
__device__ inline Row<T, A> row_of(const LayerNormBackward<T, A>& a, int64_t row) {
  const int64_t first = row * a.channels;
  return {a.dy + first, a.x + first, a.plus == nullptr ? nullptr : a.plus + first,
          a.dx + first, a.mean[row], a.inverse_std[row]};
}

template <class T, class A, int N>
__device__ inline void normalise(const Row<T, A>& row, A (&x)[N]) {
#pragma unroll
  for (int i = 0; i < N; ++i) x[i] = (x[i] - row.mean) * row.inverse_std;
}

// dx of N elements from their dy, n and weight.
template <class T, class A, int N>
__device__ inline void store_dx(const Row<T, A>& row, int64_t channel, const A (&dy)[N],
                                const A (&n)[N], const A (&weight)[N]) {
  A dx[N];
#pragma unroll
  for (int i = 0; i < N; ++i) {
    dx[i] = row.inverse_std * (dy[i] * weight[i] - row.mean_g - n[i] * row.mean_gn);
  }
  if (row.plus != nullptr) {
    A plus[N];
    load<T, N>(row.plus + channel, plus);
#pragma unroll
    for (int i = 0; i < N; ++i) dx[i] += plus[i];
  }
  store<T, N>(row.dx + channel, dx);
}

// A lane's sums of dy * n and of dy over its rows, for its channels.
template <class A, int K, int N>
struct ColumnSums {
  A dweight[K][N], dbias[K][N];
};

// One warp after another adds its sums to those of the block, [2, channels] in shared memory.
template <int K, int N, class A>
__device__ inline void add_up(const ColumnSums<A, K, N>& own, int64_t channels, A* of_block) {
  for (int turn = 0; turn < kRows; ++turn) {
    if (warp() == turn) {
      along_row<K, N>(channels, [&](int k, int64_t channel) {
#pragma unroll
        for (int i = 0; i < N; ++i) {
          A* dweight = of_block + channel + i;
          A* dbias = dweight + channels;
          *dweight = turn == 0 ? own.dweight[k][i] : *dweight + own.dweight[k][i];
          *dbias = turn == 0 ? own.dbias[k][i] : *dbias + own.dbias[k][i];
        }
      });
    }
    __syncthreads();
  }
}

// A warp processes row blockIdx.x * kRows + warp and every gridDim.x * kRows rows after it. dy and
// x stay in registers in type T, because they would not fit next to the sums if widened.
template <class T, class A, int K, int N>
__global__ void __launch_bounds__(kThreads, 2) backward(LayerNormBackward<T, A> a, A* parts) {
  ColumnSums<A, K, N> own{};
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kRows;
  for (int64_t r = static_cast<int64_t>(blockIdx.x) * kRows + warp(); r < a.rows; r += stride) {
    Row<T, A> row = row_of(a, r);
    Pack<T, N> dy_pack[K], x_pack[K];
    along_row<K, N>(a.channels, [&](int k, int64_t channel) {
      dy_pack[k] = load_pack<T, N>(row.dy + channel);
      x_pack[k] = load_pack<T, N>(row.x + channel);
    });
    A sum_g = 0, sum_gn = 0;
    along_row<K, N>(a.channels, [&](int k, int64_t channel) {
      A dy[N], n[N], weight[N];
      widen_all(dy_pack[k], dy);
      widen_all(x_pack[k], n);
      normalise(row, n);
      load<A, N>(a.weight + channel, weight);
#pragma unroll
      for (int i = 0; i < N; ++i) {
        sum_g += dy[i] * weight[i];
        sum_gn += dy[i] * weight[i] * n[i];
        own.dweight[k][i] += dy[i] * n[i];
        own.dbias[k][i] += dy[i];
      }
    });
    row.mean_g = warp_sum(sum_g) / static_cast<A>(a.channels);
    row.mean_gn = warp_sum(sum_gn) / static_cast<A>(a.channels);
    along_row<K, N>(a.channels, [&](int k, int64_t channel) {
      A dy[N], n[N], weight[N];
      widen_all(dy_pack[k], dy);
      widen_all(x_pack[k], n);
      normalise(row, n);
      load<A, N>(a.weight + channel, weight);
      store_dx(row, channel, dy, n, weight);
    });
  }
  A* of_block = static_cast<A*>(shared_memory());
  add_up(own, a.channels, of_block);
  A* part = parts + blockIdx.x * 2 * a.channels;
  for (int64_t i = threadIdx.x; i < 2 * a.channels; i += kThreads) part[i] = of_block[i];
}

// dx for rows of any width. A second kernel, backward_columns, computes the sums and reads
// everything again.
template <class T, class A>
__global__ void __launch_bounds__(kThreads) backward_rows(LayerNormBackward<T, A> a) {
  const int64_t r = static_cast<int64_t>(blockIdx.x) * kRows + warp();
  if (r >= a.rows) return;
  Row<T, A> row = row_of(a, r);
  A sum_g = 0, sum_gn = 0;
  along_row<0, 1>(a.channels, [&](int, int64_t channel) {
    const A g = widen(row.dy[channel]) * a.weight[channel];
    sum_g += g;
    sum_gn += g * (widen(row.x[channel]) - row.mean) * row.inverse_std;
  });
  row.mean_g = warp_sum(sum_g) / static_cast<A>(a.channels);
  row.mean_gn = warp_sum(sum_gn) / static_cast<A>(a.channels);
  along_row<0, 1>(a.channels, [&](int, int64_t channel) {
    const A dy[1] = {widen(row.dy[channel])}, weight[1] = {a.weight[channel]};
    A n[1] = {widen(row.x[channel])};
    normalise(row, n);
    store_dx(row, channel, dy, n, weight);
  });
}

// One thread per column; blockIdx.y is the part of the rows.
template <class T, class A>
__global__ void __launch_bounds__(kThreads) backward_columns(LayerNormBackward<T, A> a, A* parts) {
  const int64_t channel = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (channel >= a.channels) return;
  A dweight = 0, dbias = 0;
  for (int64_t r = blockIdx.y; r < a.rows; r += gridDim.y) {
    const Row<T, A> row = row_of(a, r);
    const A dy = widen(row.dy[channel]);
    dweight += dy * (widen(row.x[channel]) - row.mean) * row.inverse_std;
    dbias += dy;
  }
  A* part = parts + blockIdx.y * 2 * a.channels;
  part[channel] = dweight;
  part[a.channels + channel] = dbias;
}

int64_t blocks_for(int64_t rows) { return (rows + kRows - 1) / kRows; }

// Accesses of a lane to a row; 0 if the row is too wide or misaligned for registers.
template <class T, class A>
int accesses(const LayerNormForward<T, A>& pass) {
  const bool fits = aligned_rows(pass.x, pass.channels) && aligned_rows(pass.y, pass.channels) &&
                    aligned(pass.weight) && aligned(pass.bias);
  return fits ? accesses<T>(pass.channels) : 0;
}
template <class T, class A>
int accesses(const LayerNormBackward<T, A>& pass) {
  const bool fits = aligned_rows(pass.dy, pass.channels) && aligned_rows(pass.x, pass.channels) &&
                    aligned_rows(pass.dx, pass.channels) && aligned(pass.plus) &&
                    aligned(pass.weight);
  return fits ? accesses<T>(pass.channels) : 0;
}

// Calls task(constant K) with the smallest compiled K >= `accesses`, K * N at most `kMost`; returns
// false if there is none.
template <class T, int kMost, class Task>
bool with_accesses(int accesses, const Task& task) {
  constexpr int N = kLanes<T>;
  bool done = false;
  const auto try_one = [&](auto k) {
    if constexpr (k.value * N <= kMost) {
      if (!done && accesses <= k.value) {
        done = true;
        task(k);
      }
    }
  };
  if (accesses == 0) return false;
  try_one(Constant<1>{});
  try_one(Constant<2>{});
  try_one(Constant<3>{});
  try_one(Constant<4>{});
  try_one(Constant<6>{});
  try_one(Constant<8>{});
  return done;
}

template <class T, class A>
void run_forward(const LayerNormForward<T, A>& pass, CudaStream stream) {
  const LaunchShape shape{"layer_norm", blocks_for(pass.rows), 1, kThreads, 0, stream};
  const bool done = with_accesses<T, kMostInRegisters>(
      accesses(pass), [&](auto k) { launch(shape, forward<T, A, k.value, kLanes<T>>, pass); });
  if (!done) launch(shape, forward<T, A, 0, 1>, pass);
}

template <class T, class A>
void run_backward(const LayerNormBackward<T, A>& pass, A* parts, A* sums, CudaStream stream) {
  const int64_t count = layer_norm_parts_cuda(pass.rows);
  const size_t shared_bytes = 2 * static_cast<size_t>(pass.channels) * sizeof(A);
  const bool done = with_accesses<T, kMostBackward<T>>(accesses(pass), [&](auto k) {
    launch({"layer_norm gradient", count, 1, kThreads, shared_bytes, stream},
           backward<T, A, k.value, kLanes<T>>, pass, parts);
  });
  if (!done) {
    launch({"layer_norm gradient of rows", blocks_for(pass.rows), 1, kThreads, 0, stream},
           backward_rows<T, A>, pass);
    launch({"layer_norm gradient of columns", (pass.channels + kThreads - 1) / kThreads, count,
            kThreads, 0, stream},
           backward_columns<T, A>, pass, parts);
  }
  sum_parts_cuda(parts, count, 2 * pass.channels, sums, stream);
}

}  // namespace

void layer_norm_forward_cuda(const LayerNormForward<float, float>& pass, CudaStream stream) {
  run_forward(pass, stream);
}
void layer_norm_forward_cuda(const LayerNormForward<Bfloat16, float>& pass, CudaStream stream) {
  run_forward(pass, stream);
}
void layer_norm_forward_cuda(const LayerNormForward<double, double>& pass, CudaStream stream) {
  run_forward(pass, stream);
}

// Two blocks on each of the 132 multiprocessors of an H100; fewer for few rows.
int64_t layer_norm_parts_cuda(int64_t rows) {
  const int64_t blocks = blocks_for(rows);
  return blocks < 264 ? blocks : 264;
}

void layer_norm_backward_cuda(const LayerNormBackward<float, float>& pass, float* parts,
                              float* sums, CudaStream stream) {
  run_backward(pass, parts, sums, stream);
}
void layer_norm_backward_cuda(const LayerNormBackward<Bfloat16, float>& pass, float* parts,
                              float* sums, CudaStream stream) {
  run_backward(pass, parts, sums, stream);
}
void layer_norm_backward_cuda(const LayerNormBackward<double, double>& pass, double* parts,
                              double* sums, CudaStream stream) {
  run_backward(pass, parts, sums, stream);
}

}  // namespace fcm::ops
