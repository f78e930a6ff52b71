// Four arrays are read and three or four written, once each. An element gets the same bits whatever
// the alignment of segments and vector accesses.
#include "fcm/ops/adamw/cuda.h"
#include "fcm/ops/cuda/flat.h"
#include "fcm/ops/cuda/warp.h"

namespace fcm::ops {
namespace {

constexpr int kWarps = kFlatThreads / kWarp;
constexpr int64_t kMostParts = 1056;  // eight blocks on each of 132 multiprocessors

// The block's sum, valid in thread 0. of_warp: [kWarps] in shared memory.
__device__ inline double block_sum(double x, double* of_warp) {
  x = warp_sum(x);
  if (lane() == 0) of_warp[warp()] = x;
  __syncthreads();
  double total = 0;
  if (threadIdx.x == 0) {
    for (int other = 0; other < kWarps; ++other) total += of_warp[other];
  }
  return total;
}

// Squares of floats are exact in float64.
template <class T, int N>
__global__ void __launch_bounds__(kFlatThreads)
    squares(const T* values, int64_t count, double* parts) {
  double sum = 0;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kFlatThreads * N;
#pragma unroll 4
  for (int64_t i = (static_cast<int64_t>(blockIdx.x) * kFlatThreads + threadIdx.x) * N; i < count;
       i += stride) {
    Wide<T> x[N];
    load<T, N>(values + i, x);
    for (int n = 0; n < N; ++n) sum += static_cast<double>(x[n]) * static_cast<double>(x[n]);
  }
  const double total = block_sum(sum, static_cast<double*>(shared_memory()));
  if (threadIdx.x == 0) parts[blockIdx.x] = total;
}

__device__ inline bool finite(double x) { return x - x == 0; }

// Runs as a single block.
__global__ void __launch_bounds__(kFlatThreads) begin_step(AdamWBegin a) {
  double sum = 0;
  for (int64_t part = threadIdx.x; part < a.part_count; part += kFlatThreads) sum += a.parts[part];
  const double total = block_sum(sum, static_cast<double*>(shared_memory()));
  double* correction1 = static_cast<double*>(shared_memory()) + kWarps;
  if (threadIdx.x == 0) {
    const double norm = sqrt(total);
    const double loss = a.loss == nullptr ? 0 : *a.loss;
    const bool apply = finite(norm) && finite(loss);
    const int64_t step = a.state->steps + 1;
    a.state->loss = loss;
    a.state->norm = norm;
    a.state->applied = apply ? 1 : 0;
    if (apply) a.state->steps = step;
    const double clip = a.clip_norm > 0 && norm > a.clip_norm ? a.clip_norm / norm : 1;
    const auto power = static_cast<double>(step);
    *a.factors = {clip, a.beta1, a.beta2, 1 / sqrt(1 - pow(a.beta2, power)), a.epsilon};
    *correction1 = 1 - pow(a.beta1, power);
  }
  __syncthreads();
  for (int64_t i = threadIdx.x; i < a.segment_count; i += kFlatThreads) {
    const AdamWGroupRange& s = a.scheduled[i];
    const double rate = a.state->lr * s.lr_scale;
    a.segments[i] = {s.begin, s.end, rate / *correction1, 1 - rate * s.weight_decay};
  }
}

// The factors in the element type of the buffers, as in the CPU kernels.
template <class T>
struct Factors {
  T gradient_scale, beta1, beta2, one_minus_beta1, one_minus_beta2, root_correction, epsilon;
};

template <class T>
struct Element {
  T value, first, second;
};

template <class T>
__device__ inline void step(const Factors<T>& f, T rate, T decay, T gradient, Element<T>& e) {
  const T g = gradient * f.gradient_scale;
  e.first = fma(f.one_minus_beta1, g - e.first, e.first);
  e.second = fma(f.one_minus_beta2 * g, g, f.beta2 * e.second);
  const T denominator = fma(sqrt(e.second), f.root_correction, f.epsilon);
  e.value = fma(-rate, e.first / denominator, decay * e.value);
}

// The first segment that ends after `element`; all threads of a block run the same search.
template <class T>
__device__ inline int64_t segment_behind(const AdamWUpdate<T>& a, int64_t element) {
  int64_t low = 0, high = a.segment_count;
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (a.segments[middle].end <= element) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

// N elements starting at `first`, all in one segment.
template <class T, int N>
__device__ inline void update_all(const AdamWUpdate<T>& a, const Factors<T>& f,
                                  const AdamWSegment& segment, int64_t first) {
  T value[N], first_moment[N], second_moment[N], gradient[N];
  load<T, N>(a.value + first, value);
  load<T, N>(a.first + first, first_moment);
  load<T, N>(a.second + first, second_moment);
  load<T, N>(a.gradient + first, gradient);
  const T rate = static_cast<T>(segment.rate), decay = static_cast<T>(segment.decay);
  float narrow_value[N];
#pragma unroll
  for (int i = 0; i < N; ++i) {
    Element<T> e{value[i], first_moment[i], second_moment[i]};
    step(f, rate, decay, gradient[i], e);
    value[i] = e.value;
    first_moment[i] = e.first;
    second_moment[i] = e.second;
    narrow_value[i] = static_cast<float>(e.value);
  }
  store<T, N>(a.value + first, value);
  store<T, N>(a.first + first, first_moment);
  store<T, N>(a.second + first, second_moment);
  if (a.rounded != nullptr) store<Bfloat16, N>(a.rounded + first, narrow_value);
}

template <class T, int N>
__global__ void __launch_bounds__(kFlatThreads) update_flat(AdamWUpdate<T> a) {
  if (a.applied != nullptr && *a.applied == 0) return;
  const AdamWFactors& given = *a.factors;
  const Factors<T> f{static_cast<T>(given.gradient_scale), static_cast<T>(given.beta1),
                     static_cast<T>(given.beta2),          static_cast<T>(1 - given.beta1),
                     static_cast<T>(1 - given.beta2),      static_cast<T>(given.root_correction),
                     static_cast<T>(given.epsilon)};
  int64_t s =
      segment_behind(a, static_cast<int64_t>(blockIdx.x) * kFlatThreads * kFlatAccesses * N);
  along_flat<N>(a.count, [&](int64_t first) {
    const auto reach = [&](int64_t element) {
      while (s < a.segment_count && a.segments[s].end <= element) ++s;
      return s < a.segment_count && a.segments[s].begin <= element;
    };
    if (reach(first) && first + N <= a.segments[s].end) {
      update_all<T, N>(a, f, a.segments[s], first);
      return;
    }
    for (int64_t element = first; element < first + N && element < a.count; ++element) {
      if (reach(element)) update_all<T, 1>(a, f, a.segments[s], element);
    }
  });
}

template <class T>
void run_norm(const T* gradient, int64_t count, double* parts, CudaStream stream) {
  constexpr int N = kLanes<T>;
  const LaunchShape shape{"norm of gradients", gradient_norm_parts_cuda(count), 1,
                          kFlatThreads,        kWarps * sizeof(double),         stream};
  if (aligned_rows(gradient, count)) {
    launch(shape, squares<T, N>, gradient, count, parts);
  } else {
    launch(shape, squares<T, 1>, gradient, count, parts);
  }
}

template <class T>
void run_update(const AdamWUpdate<T>& update, CudaStream stream) {
  constexpr int N = kLanes<T>;
  const bool fits = aligned(update.value) && aligned(update.first) && aligned(update.second) &&
                    aligned(update.gradient) && aligned(update.rounded);
  if (fits) {
    launch(flat_shape("adamw", update.count, N, stream), update_flat<T, N>, update);
  } else {
    launch(flat_shape("adamw", update.count, 1, stream), update_flat<T, 1>, update);
  }
}

}  // namespace

int64_t gradient_norm_parts_cuda(int64_t count) {
  constexpr int64_t kOfBlock = kFlatThreads * 16;
  const int64_t blocks = (count + kOfBlock - 1) / kOfBlock;
  return blocks < kMostParts ? blocks : kMostParts;
}

void gradient_norm_cuda(const float* gradient, int64_t count, double* parts, CudaStream stream) {
  run_norm(gradient, count, parts, stream);
}
void gradient_norm_cuda(const double* gradient, int64_t count, double* parts, CudaStream stream) {
  run_norm(gradient, count, parts, stream);
}

void adamw_begin_cuda(const AdamWBegin& begin, CudaStream stream) {
  launch({"begin of adamw", 1, 1, kFlatThreads, (kWarps + 1) * sizeof(double), stream}, begin_step,
         begin);
}

void adamw_update_cuda(const AdamWUpdate<float>& update, CudaStream stream) {
  run_update(update, stream);
}
void adamw_update_cuda(const AdamWUpdate<double>& update, CudaStream stream) {
  run_update(update, stream);
}

}  // namespace fcm::ops
