// Forward: a thread takes some channels of a bin, 16 bytes of each cell, and loops over the bin's
// samples. Backward: a block takes a tile of 4 x 4 cells of the gradient and keeps its sums in
// registers. It loops over the boxes of the map in their order. Its threads test in parallel which
// of the next boxes reach the tile. For each box that does, they compute the weights of its bins in
// the tile's rows and columns, which all channels share. Every cell is written once, by one thread,
// so no atomic sums are needed.
#include "fcm/ops/cuda/flat.h"
#include "fcm/ops/cuda/rounded_product.h"
#include "fcm/ops/roi_align/cuda.h"

namespace fcm::ops {
namespace {

constexpr int kTile = 4;          // cells of a tile's side
constexpr int kSpreadMost = 256;  // threads of a backward block
constexpr double kFarthestCell = 1 << 20;

// A box along one axis of its map.
template <class A>
struct RoiAxis {
  A begin, bin;
  int samples;  // of a bin
  int size;     // cells of the map
};

template <class A>
__device__ inline bool is_within_reach(A place) {
  return fabs(place) <= static_cast<A>(kFarthestCell);
}

template <class A>
__device__ inline void axes_of(const A* box, A scale, int64_t bins, int64_t rows, int64_t cols,
                               RoiAxis<A>& down, RoiAxis<A>& across) {
  A ends[4];
  bool usable = true;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    ends[i] = rounded_product(box[i], scale);
    usable = usable && is_within_reach(ends[i]);
    ends[i] -= A(0.5);
  }
  across.begin = ends[0];
  down.begin = ends[1];
  across.bin = (ends[2] - ends[0]) / static_cast<A>(bins);
  down.bin = (ends[3] - ends[1]) / static_cast<A>(bins);
  across.samples = usable && across.bin > 0 ? static_cast<int>(ceil(across.bin)) : 0;
  down.samples = usable && down.bin > 0 ? static_cast<int>(ceil(down.bin)) : 0;
  across.size = static_cast<int>(cols);
  down.size = static_cast<int>(rows);
}

// The two cells next to a sample and their weights. A sample that is not `inside` is 0.
template <class A>
struct RoiSample {
  bool inside;
  int low, high;
  A near, far;  // weights of low and high
};

template <class A>
__device__ inline RoiSample<A> sample_of(const RoiAxis<A>& axis, int bin, int q) {
  const A middle =
      rounded_product(static_cast<A>(q) + A(0.5), axis.bin) / static_cast<A>(axis.samples);
  A at = (axis.begin + rounded_product(static_cast<A>(bin), axis.bin)) + middle;
  RoiSample<A> sample{};
  sample.inside = at >= -1 && at <= static_cast<A>(axis.size);
  if (!sample.inside) return sample;
  at = at > 0 ? at : 0;
  sample.low = static_cast<int>(at);
  const bool last = sample.low >= axis.size - 1;
  if (last) sample.low = axis.size - 1;
  sample.high = last ? sample.low : sample.low + 1;
  sample.far = last ? 0 : at - static_cast<A>(sample.low);
  sample.near = 1 - sample.far;
  return sample;
}

template <class T, class A, int V>
__global__ void __launch_bounds__(kFlatThreads)
    roi_align_forward_kernel(const __grid_constant__ RoiForwardCuda<T, A> a) {
  const RoisCuda<A>& rois = a.rois;
  const int64_t packs = rois.channels / V, bins = rois.bins;
  along_flat<1>(rois.rois * bins * bins * packs, [&](int64_t element) {
    const int64_t channel = element % packs * V, bin = element / packs;
    const int64_t roi = bin / (bins * bins);
    const int i = static_cast<int>(bin / bins % bins), j = static_cast<int>(bin % bins);
    const RoiMapCuda<const T>& map = a.maps[rois.level[roi]];
    RoiAxis<A> down, across;
    axes_of(rois.boxes + 4 * roi, static_cast<A>(map.scale), bins, map.rows, map.cols, down,
            across);
    const T* image = map.cells + rois.image[roi] * map.rows * map.cols * rois.channels + channel;
    A sum[V] = {};
    for (int q = 0; q < down.samples; ++q) {
      const RoiSample<A> row = sample_of(down, i, q);
      if (!row.inside) continue;
      for (int p = 0; p < across.samples; ++p) {
        const RoiSample<A> col = sample_of(across, j, p);
        if (!col.inside) continue;
#pragma unroll
        for (int corner = 0; corner < 4; ++corner) {
          const int64_t y = corner < 2 ? row.low : row.high;
          const int64_t x = corner % 2 == 0 ? col.low : col.high;
          const A weight =
              (corner < 2 ? row.near : row.far) * (corner % 2 == 0 ? col.near : col.far);
          A cell[V];
          load<T, V>(image + (y * map.cols + x) * rois.channels, cell);
#pragma unroll
          for (int v = 0; v < V; ++v) sum[v] += weight * cell[v];
        }
      }
    }
    const A samples = static_cast<A>(down.samples) * static_cast<A>(across.samples);
    const A share = samples > 0 ? 1 / samples : 0;
#pragma unroll
    for (int v = 0; v < V; ++v) sum[v] *= share;
    store<T, V>(a.out + bin * rois.channels + channel, sum);
  });
}

// Whether a sample of the box may read one of the cells [first, first + kTile).
template <class A>
__device__ inline bool may_reach(const RoiAxis<A>& axis, int64_t bins, int first) {
  const A end = axis.begin + static_cast<A>(bins) * axis.bin;
  return axis.samples > 0 && end >= static_cast<A>(first - 2) &&
         axis.begin <= static_cast<A>(first + kTile + 1);
}

// The weight of a cell in a bin along the axis: the mean over the bin's samples of the cell's
// weight.
template <class A>
__device__ inline A weight_of(const RoiAxis<A>& axis, int bin, int cell) {
  A weight = 0;
  for (int q = 0; q < axis.samples; ++q) {
    const RoiSample<A> sample = sample_of(axis, bin, q);
    if (!sample.inside) continue;
    if (sample.low == cell) weight += sample.near;
    if (sample.high == cell && sample.high != sample.low) weight += sample.far;
  }
  return weight / static_cast<A>(axis.samples);
}

template <class A>
__device__ inline bool any_weight(const A* weights) {
  bool any = false;
#pragma unroll
  for (int i = 0; i < kTile; ++i) any = any || weights[i] != 0;
  return any;
}

// Grid: tiles of images in x, channels in y.
template <class T, class A, int V>
__global__ void __launch_bounds__(kSpreadMost)
    roi_align_backward_kernel(const __grid_constant__ RoiBackwardCuda<T, A> a) {
  const RoisCuda<A>& rois = a.rois;
  const int bins = static_cast<int>(rois.bins);
  A* weights = static_cast<A*>(shared_memory());  // [2: down, across][bins][kTile]
  auto* reach = reinterpret_cast<uint8_t*>(weights + 2 * bins * kTile);  // [threads]
  const int64_t tiles_across = (a.map.cols + kTile - 1) / kTile;
  const int64_t tiles = tiles_across * ((a.map.rows + kTile - 1) / kTile);
  const int64_t image = blockIdx.x / tiles, tile = blockIdx.x % tiles;
  const int first_row = static_cast<int>(tile / tiles_across) * kTile;
  const int first_col = static_cast<int>(tile % tiles_across) * kTile;
  const int64_t channel = (static_cast<int64_t>(blockIdx.y) * blockDim.x + threadIdx.x) * V;
  const auto thread = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x);
  const auto scale = static_cast<A>(a.map.scale);
  A sum[kTile * kTile][V] = {};
  for (int64_t first = a.starts[image]; first < a.starts[image + 1]; first += threads) {
    const int64_t left = a.starts[image + 1] - first;
    const int count = left < threads ? static_cast<int>(left) : threads;
    __syncthreads();
    if (thread < count) {
      RoiAxis<A> down, across;
      axes_of(rois.boxes + 4 * a.order[first + thread], scale, bins, a.map.rows, a.map.cols, down,
              across);
      reach[thread] = may_reach(down, bins, first_row) && may_reach(across, bins, first_col);
    }
    __syncthreads();
    for (int k = 0; k < count; ++k) {
      if (reach[k] == 0) continue;  // the same for all threads
      const int64_t roi = a.order[first + k];
      RoiAxis<A> down, across;
      axes_of(rois.boxes + 4 * roi, scale, bins, a.map.rows, a.map.cols, down, across);
      __syncthreads();
      for (int i = thread; i < 2 * bins * kTile; i += threads) {
        const int bin = i / kTile % bins, cell = i % kTile;
        weights[i] = i < bins * kTile ? weight_of(down, bin, first_row + cell)
                                      : weight_of(across, bin, first_col + cell);
      }
      __syncthreads();
      if (channel >= rois.channels) continue;
      for (int i = 0; i < bins; ++i) {
        if (!any_weight(weights + i * kTile)) continue;
        for (int j = 0; j < bins; ++j) {
          const A* of_cols = weights + (bins + j) * kTile;
          if (!any_weight(of_cols)) continue;
          A dout[V];
          load<T, V>(a.dout + ((roi * bins + i) * bins + j) * rois.channels + channel, dout);
#pragma unroll
          for (int cell = 0; cell < kTile * kTile; ++cell) {
            const A weight = weights[i * kTile + cell / kTile] * of_cols[cell % kTile];
#pragma unroll
            for (int v = 0; v < V; ++v) sum[cell][v] += weight * dout[v];
          }
        }
      }
    }
  }
  if (channel >= rois.channels) return;
#pragma unroll
  for (int cell = 0; cell < kTile * kTile; ++cell) {
    const int64_t row = first_row + cell / kTile, col = first_col + cell % kTile;
    if (row >= a.map.rows || col >= a.map.cols) continue;
    store<T, V>(
        a.map.cells + ((image * a.map.rows + row) * a.map.cols + col) * rois.channels + channel,
        sum[cell]);
  }
}

template <class T, class A>
void run(const RoiForwardCuda<T, A>& a, CudaStream stream) {
  constexpr int V = kLanes<T>;
  bool wide = aligned_rows(a.out, a.rois.channels);
  for (const RoiMapCuda<const T>& map : a.maps) wide = wide && aligned(map.cells);
  const int64_t bins = a.rois.rois * a.rois.bins * a.rois.bins;
  if (wide) {
    launch(flat_shape("roi_align", bins * (a.rois.channels / V), 1, stream),
           roi_align_forward_kernel<T, A, V>, a);
  } else {
    launch(flat_shape("roi_align", bins * a.rois.channels, 1, stream),
           roi_align_forward_kernel<T, A, 1>, a);
  }
}

template <class T, class A, int V>
void run_tiles(const RoiBackwardCuda<T, A>& a, CudaStream stream) {
  const auto in_tiles = [](int64_t cells) { return (cells + kTile - 1) / kTile; };
  const int64_t tiles = a.images * in_tiles(a.map.rows) * in_tiles(a.map.cols);
  const int64_t packs = (a.rois.channels + V - 1) / V;
  const int64_t whole = (packs + kWarp - 1) / kWarp * kWarp;
  const int64_t threads = whole < kSpreadMost ? whole : kSpreadMost;
  const size_t shared =
      2 * static_cast<size_t>(a.rois.bins) * kTile * sizeof(A) + static_cast<size_t>(threads);
  launch({"roi_align gradient", tiles, (packs + threads - 1) / threads, static_cast<int>(threads),
          shared, stream},
         roi_align_backward_kernel<T, A, V>, a);
}

template <class T, class A>
void run(const RoiBackwardCuda<T, A>& a, CudaStream stream) {
  constexpr int V = sizeof(A) == 8 ? 1 : 4;  // channels whose sums fit the registers
  if (aligned_rows(a.dout, a.rois.channels) && aligned(a.map.cells)) {
    run_tiles<T, A, V>(a, stream);
  } else {
    run_tiles<T, A, 1>(a, stream);
  }
}

}  // namespace

void roi_align_cuda(const RoiForwardCuda<float, float>& pass, CudaStream stream) {
  run(pass, stream);
}
void roi_align_cuda(const RoiForwardCuda<Bfloat16, float>& pass, CudaStream stream) {
  run(pass, stream);
}
void roi_align_cuda(const RoiForwardCuda<double, double>& pass, CudaStream stream) {
  run(pass, stream);
}

void roi_align_cuda(const RoiBackwardCuda<float, float>& pass, CudaStream stream) {
  run(pass, stream);
}
void roi_align_cuda(const RoiBackwardCuda<Bfloat16, float>& pass, CudaStream stream) {
  run(pass, stream);
}
void roi_align_cuda(const RoiBackwardCuda<double, double>& pass, CudaStream stream) {
  run(pass, stream);
}

}  // namespace fcm::ops
