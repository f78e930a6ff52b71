// For patches of 2x2 and 4x4 cells, a thread processes V channels of one patch after another and
// keeps the 25 weights, its cells and its sums in registers. Surrounding cells are read one visible
// neighbour at a time, all of the neighbour's cells before the first product. Visibility is the
// same for the whole block. Every product of a cell and a tap is unrolled. Neighbours come from the
// L2 cache; a warp reads V * 32 channels of a cell at once, 128 bytes for bfloat16 and V = 2.
//
// Backward computes dx and the 25 sums from one read of dy around the patch and of x in the patch:
// every pair of a cell of dy and a cell of x belongs to one tap and is used for dx and for the sum.
#include "fcm/ops/cuda/flat.h"
#include "fcm/ops/cuda/sum_parts.h"
#include "fcm/ops/patch_depthwise_conv/cuda.h"

namespace fcm::ops::patch_conv {
namespace {

constexpr int kWindow = 25;  // taps
constexpr int kThreads = 256;
constexpr int64_t kForwardRows = 8;  // patches per thread, which share one load of the weights

// Kernel arguments, passed by value.
struct Patches {
  int64_t rows, slots, channels;
  const int32_t* neighbours;
  int side;
  uint8_t place[kMostCudaSide * kMostCudaSide];  // raster cell -> stored index

  __device__ int64_t cells() const { return side * side; }
};

// The row (or column) of the tap through which an output in row (column) `out` of a patch reads a
// cell in row (column) `cell`, both relative to that patch. Outside 0..4 there is no such tap.
__device__ constexpr int tap(int cell, int out) { return cell - out + 2; }
__device__ constexpr bool reaches(int t) { return t >= 0 && t < 5; }

// V channels of the cells of one neighbour that a 5x5 window around a cell of the patch can reach.
template <int S, class A, int V>
struct NeighbourCells {
  A at[S * S][V];
};

// Whether row (or column) `cell` of a patch is at most two cells away from the patch in the middle;
// around: 0 the previous patch, 1 the same, 2 the next.
template <int S>
__device__ constexpr bool near(int around, int cell) {
  const int from_patch = (around - 1) * S + cell;
  return from_patch >= -2 && from_patch < S + 2;
}

template <int S, int V, class T, class A>
__device__ inline void read(const T* patch, int k, const Patches& p,
                            NeighbourCells<S, A, V>& neighbour) {
#pragma unroll
  for (int cell = 0; cell < S * S; ++cell) {
    if (!near<S>(k / 3, cell / S) || !near<S>(k % 3, cell % S)) continue;
    load<T, V>(patch + p.place[cell] * p.channels, neighbour.at[cell]);
  }
}

// Calls task(value, own cell, tap) for every pair of a reachable cell of neighbour k and a cell of
// the patch (own cell) that reads it through this tap.
template <int S, int V, class A, class Task>
__device__ inline void pairs(int k, const NeighbourCells<S, A, V>& neighbour, const Task& task) {
#pragma unroll
  for (int cell = 0; cell < S * S; ++cell) {
    if (!near<S>(k / 3, cell / S) || !near<S>(k % 3, cell % S)) continue;
#pragma unroll
    for (int own = 0; own < S * S; ++own) {
      const int row = tap((k / 3 - 1) * S + cell / S, own / S);
      const int col = tap((k % 3 - 1) * S + cell % S, own % S);
      if (reaches(row) && reaches(col)) task(neighbour.at[cell], own, row * 5 + col);
    }
  }
}

// Calls task(k, row) for the visible neighbours of a patch.
template <class Task>
__device__ inline void neighbours_of(const Patches& p, int64_t row, const Task& task) {
  const int64_t first = row - row % p.slots;
#pragma unroll
  for (int k = 0; k < 9; ++k) {
    const int32_t slot = p.neighbours[row * 9 + k];
    if (slot >= 0) task(k, first + slot);
  }
}

template <class A, int V>
struct Weights {
  A of_tap[kWindow][V];
};

template <int V, class A>
__device__ inline void read(const A* weight, int64_t channels, int64_t channel, Weights<A, V>& to) {
#pragma unroll
  for (int t = 0; t < kWindow; ++t) load<A, V>(weight + t * channels + channel, to.of_tap[t]);
}

// First channel of this thread.
__device__ inline int64_t first_channel(int per_thread) {
  return (static_cast<int64_t>(blockIdx.y) * blockDim.x + threadIdx.x) * per_thread;
}

template <class T, class A, int S, int V>
__global__ void __launch_bounds__(kThreads)
    forward(Patches p, const T* x, const A* weight, const A* bias, T* y) {
  const int64_t channel = first_channel(V), begin = blockIdx.x * kForwardRows;
  if (channel >= p.channels) return;
  Weights<A, V> w;
  A b[V];
  read<V>(weight, p.channels, channel, w);
  load<A, V>(bias + channel, b);
  for (int64_t row = begin; row < begin + kForwardRows && row < p.rows; ++row) {
    A sum[S * S][V];
#pragma unroll
    for (int i = 0; i < S * S * V; ++i) sum[i / V][i % V] = b[i % V];
    neighbours_of(p, row, [&](int k, int64_t other) {
      NeighbourCells<S, A, V> neighbour;
      read<S, V>(x + other * (S * S) * p.channels + channel, k, p, neighbour);
      pairs<S, V>(k, neighbour, [&](const A(&value)[V], int own, int t) {
#pragma unroll
        for (int v = 0; v < V; ++v) sum[own][v] += w.of_tap[t][v] * value[v];
      });
    });
    T* to = y + row * (S * S) * p.channels + channel;
#pragma unroll
    for (int own = 0; own < S * S; ++own) store<T, V>(to + p.place[own] * p.channels, sum[own]);
  }
}

template <class T, class A, int S, int V, bool kWantDx, bool kWantSums>
__global__ void __launch_bounds__(kThreads)
    backward(Patches p, CudaBackward<T, A> a, int64_t rows_of_part) {
  const int64_t channel = first_channel(V), begin = blockIdx.x * rows_of_part;
  if (channel >= p.channels) return;
  Weights<A, V> w, dw{};
  A db[V] = {};
  if (kWantDx) read<V>(a.weight, p.channels, channel, w);
  for (int64_t row = begin; row < begin + rows_of_part && row < p.rows; ++row) {
    const int64_t first = row * (S * S) * p.channels + channel;
    A x[S * S][V], dx[S * S][V] = {};
    if (kWantSums) {
#pragma unroll
      for (int own = 0; own < S * S; ++own) {
        load<T, V>(a.x + first + p.place[own] * p.channels, x[own]);
      }
    }
    neighbours_of(p, row, [&](int k, int64_t other) {
      NeighbourCells<S, A, V> dy;
      read<S, V>(a.dy + other * (S * S) * p.channels + channel, k, p, dy);
      pairs<S, V>(k, dy, [&](const A(&value)[V], int own, int t) {
        // The other cell's output reads the own cell through the opposite tap.
        const int back = kWindow - 1 - t;
#pragma unroll
        for (int v = 0; v < V; ++v) {
          if (kWantDx) dx[own][v] += w.of_tap[back][v] * value[v];
          if (kWantSums) dw.of_tap[back][v] += x[own][v] * value[v];
        }
      });
      if (kWantSums && k == 4) {
#pragma unroll
        for (int i = 0; i < S * S * V; ++i) db[i % V] += dy.at[i / V][i % V];
      }
    });
    if (kWantDx) {
#pragma unroll
      for (int own = 0; own < S * S; ++own) {
        store<T, V>(a.dx + first + p.place[own] * p.channels, dx[own]);
      }
    }
  }
  if (!kWantSums) return;
  A* part = a.parts + blockIdx.x * (kWindow + 1) * p.channels + channel;
#pragma unroll
  for (int t = 0; t < kWindow; ++t) store<A, V>(part + t * p.channels, dw.of_tap[t]);
  store<A, V>(part + kWindow * p.channels, db);
}

// For patches of any side: the value that cell `own` of a patch reads through tap t, 0 if it is
// invisible.
template <class T>
__device__ inline Wide<T> value_by_tap(const Patches& p, const T* x, int64_t row, int own, int t,
                                       int64_t channel) {
  const int cell_row = own / p.side + t / 5 - 2 + p.side;  // + side: never negative
  const int cell_col = own % p.side + t % 5 - 2 + p.side;
  const int32_t slot = p.neighbours[row * 9 + cell_row / p.side * 3 + cell_col / p.side];
  if (slot < 0) return 0;
  const int64_t other = row - row % p.slots + slot;
  const int place = p.place[cell_row % p.side * p.side + cell_col % p.side];
  return widen(x[(other * p.cells() + place) * p.channels + channel]);
}

// The convolution for any side, one thread per element. kBack: with opposite taps and no bias,
// which maps dy to dx.
template <class T, class A, bool kBack>
__global__ void __launch_bounds__(kFlatThreads)
    any_side(const __grid_constant__ Patches p, const T* x, const A* weight, const A* bias, T* y) {
  along_flat<1>(p.rows * p.cells() * p.channels, [&](int64_t element) {
    const int64_t channel = element % p.channels, cell = element / p.channels;
    const int64_t row = cell / p.cells();
    const int own = static_cast<int>(cell % p.cells());
    A sum[1] = {kBack ? 0 : bias[channel]};
    for (int t = 0; t < kWindow; ++t) {
      const int of_weight = kBack ? kWindow - 1 - t : t;
      sum[0] += weight[of_weight * p.channels + channel] * value_by_tap(p, x, row, own, t, channel);
    }
    store<T, 1>(y + (row * p.cells() + p.place[own]) * p.channels + channel, sum);
  });
}

template <class T, class A>
__global__ void __launch_bounds__(kThreads)
    any_side_sums(const __grid_constant__ Patches p, CudaBackward<T, A> a, int64_t rows_of_part) {
  const int64_t channel = first_channel(1), begin = blockIdx.x * rows_of_part;
  if (channel >= p.channels) return;
  A dw[kWindow] = {}, db = 0;
  for (int64_t row = begin; row < begin + rows_of_part && row < p.rows; ++row) {
    for (int own = 0; own < p.cells(); ++own) {
      const A dy = widen(a.dy[(row * p.cells() + p.place[own]) * p.channels + channel]);
      db += dy;
#pragma unroll
      for (int t = 0; t < kWindow; ++t) dw[t] += dy * value_by_tap(p, a.x, row, own, t, channel);
    }
  }
  A* part = a.parts + blockIdx.x * (kWindow + 1) * p.channels + channel;
#pragma unroll
  for (int t = 0; t < kWindow; ++t) part[t * p.channels] = dw[t];
  part[kWindow * p.channels] = db;
}

Patches patches_of(const CudaShape& shape) {
  if (shape.side > kMostCudaSide) {
    launch_refused("patch_depthwise_conv", "expected patches of at most 8 x 8 cells");
  }
  Patches p{shape.rows, shape.slots, shape.channels, shape.neighbours, static_cast<int>(shape.side),
            {}};
  for (int64_t cell = 0; cell < shape.side * shape.side; ++cell) {
    p.place[cell] = static_cast<uint8_t>(shape.stored[cell]);
  }
  return p;
}

// A grid with `blocks` blocks in x (patches) and the channels in y.
LaunchShape grid(const char* name, int64_t blocks, int64_t channels, int per_thread,
                 CudaStream stream) {
  const int64_t threads = (channels + per_thread - 1) / per_thread;
  const int64_t whole = (threads + kWarp - 1) / kWarp * kWarp;
  const int64_t of_block = whole < kThreads ? whole : kThreads;
  return {name, blocks, (threads + of_block - 1) / of_block, static_cast<int>(of_block), 0, stream};
}

bool in_pairs(const CudaShape& shape) { return shape.channels % 2 == 0; }

template <int S, class T, class A>
void run_forward(const CudaForward<T, A>& a, const Patches& p, CudaStream stream) {
  const int64_t blocks = (p.rows + kForwardRows - 1) / kForwardRows;
  const char* name = "patch_depthwise_conv";
  const bool pairs_fit =
      in_pairs(a.shape) && aligned(a.x) && aligned(a.y) && aligned(a.weight) && aligned(a.bias);
  if (pairs_fit) {
    launch(grid(name, blocks, p.channels, 2, stream), forward<T, A, S, 2>, p, a.x, a.weight, a.bias,
           a.y);
  } else {
    launch(grid(name, blocks, p.channels, 1, stream), forward<T, A, S, 1>, p, a.x, a.weight, a.bias,
           a.y);
  }
}

template <class T, class A>
void run_forward(const CudaForward<T, A>& a, CudaStream stream) {
  const Patches p = patches_of(a.shape);
  if (p.side == 4) return run_forward<4>(a, p, stream);
  if (p.side == 2) return run_forward<2>(a, p, stream);
  const int64_t count = p.rows * p.side * p.side * p.channels;
  launch(flat_shape("patch_depthwise_conv of any side", count, 1, stream), any_side<T, A, false>, p,
         a.x, a.weight, a.bias, a.y);
}

int64_t rows_of_part(int64_t rows) {
  constexpr int64_t kMostParts = 528;  // four blocks on each of 132 multiprocessors
  return rows <= kMostParts ? 1 : (rows + kMostParts - 1) / kMostParts;
}

template <int S, class T, class A>
void run_backward(const CudaBackward<T, A>& a, const Patches& p, CudaStream stream) {
  const int64_t part = rows_of_part(p.rows);
  const LaunchShape shape =
      grid("patch_depthwise_conv gradient", cuda_parts(p.rows), p.channels, 1, stream);
  if (a.dx != nullptr && a.parts != nullptr) {
    launch(shape, backward<T, A, S, 1, true, true>, p, a, part);
  } else if (a.dx != nullptr) {
    launch(shape, backward<T, A, S, 1, true, false>, p, a, part);
  } else {
    launch(shape, backward<T, A, S, 1, false, true>, p, a, part);
  }
}

template <class T, class A>
void run_backward_any(const CudaBackward<T, A>& a, const Patches& p, CudaStream stream) {
  if (a.dx != nullptr) {
    const int64_t count = p.rows * p.side * p.side * p.channels;
    launch(flat_shape("patch_depthwise_conv gradient of any side", count, 1, stream),
           any_side<T, A, true>, p, a.dy, a.weight, static_cast<const A*>(nullptr), a.dx);
  }
  if (a.parts != nullptr) {
    launch(grid("patch_depthwise_conv sums of any side", cuda_parts(p.rows), p.channels, 1, stream),
           any_side_sums<T, A>, p, a, rows_of_part(p.rows));
  }
}

template <class T, class A>
void run_backward(const CudaBackward<T, A>& a, CudaStream stream) {
  const Patches p = patches_of(a.shape);
  if (p.side == 4) {
    run_backward<4>(a, p, stream);
  } else if (p.side == 2) {
    run_backward<2>(a, p, stream);
  } else {
    run_backward_any(a, p, stream);
  }
  if (a.parts == nullptr) return;
  sum_parts_cuda(a.parts, cuda_parts(p.rows), (kWindow + 1) * p.channels, a.sums, stream);
}

}  // namespace

void forward_cuda(const CudaForward<float, float>& pass, CudaStream stream) {
  run_forward(pass, stream);
}
void forward_cuda(const CudaForward<Bfloat16, float>& pass, CudaStream stream) {
  run_forward(pass, stream);
}
void forward_cuda(const CudaForward<double, double>& pass, CudaStream stream) {
  run_forward(pass, stream);
}

int64_t cuda_parts(int64_t rows) {
  const int64_t part = rows_of_part(rows);
  return (rows + part - 1) / part;
}

void backward_cuda(const CudaBackward<float, float>& pass, CudaStream stream) {
  run_backward(pass, stream);
}
void backward_cuda(const CudaBackward<Bfloat16, float>& pass, CudaStream stream) {
  run_backward(pass, stream);
}
void backward_cuda(const CudaBackward<double, double>& pass, CudaStream stream) {
  run_backward(pass, stream);
}

}  // namespace fcm::ops::patch_conv
