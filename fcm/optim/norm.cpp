#include "fcm/optim/norm.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "fcm/ops/adamw/cuda.h"
#include "fcm/ops/cuda/place.h"
#include "fcm/ops/profile_scope.h"

namespace fcm::optim {
namespace {

constexpr int64_t kLanes = 8, kChains = 4;
constexpr int64_t kAheadBytes = 2048;  // prefetch distance; a prefetch past the end is harmless
typedef double Doubles __attribute__((vector_size(kLanes * sizeof(double))));

template <typename T>
[[gnu::always_inline]] inline double added_squares(const T* values, int64_t count) {
  typedef T Elements __attribute__((vector_size(kLanes * sizeof(T))));
  Doubles sums[kChains] = {};  // independent chains, so that additions do not wait for each other
  int64_t i = 0;
  for (; i + kChains * kLanes <= count; i += kChains * kLanes) {
#pragma GCC unroll 4
    for (int64_t chain = 0; chain < kChains; ++chain) {
      Elements elements;
      __builtin_prefetch(reinterpret_cast<const char*>(values + i + chain * kLanes) + kAheadBytes);
      std::memcpy(&elements, values + i + chain * kLanes, sizeof(elements));
      const Doubles wide = __builtin_convertvector(elements, Doubles);
      sums[chain] += wide * wide;
    }
  }
  const Doubles lanes = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  double sum = ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) +
               ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
  for (; i < count; ++i) sum += static_cast<double>(values[i]) * static_cast<double>(values[i]);
  return sum;
}

double squares(const double* values, int64_t count) { return added_squares(values, count); }

// The dynamic loader chooses a clone at run time. The square of a float is exact in float64, so all
// clones give the same bits, with fma or without.
__attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"))) double squares(
    const float* values, int64_t count) {
  return added_squares(values, count);
}

constexpr int64_t kChunk = 1 << 15;  // elements per task

// Reads the values once on the GPU, then syncs to fetch one number.
template <typename T>
double squares_on_cuda(const at::Tensor& values) {
  const int64_t count = values.numel();
  const at::Tensor parts =
      at::empty({ops::gradient_norm_parts_cuda(count)}, values.options().dtype(at::kDouble));
  ops::gradient_norm_cuda(values.const_data_ptr<T>(), count, parts.data_ptr<double>(),
                          ops::cuda_stream_for(values));
  return parts.sum().item<double>();
}

}  // namespace

double sum_of_squares(const at::Tensor& values) {
  const ops::ProfileScope timed("norm of the gradients", 0, static_cast<double>(values.nbytes()));
  const int64_t count = values.numel();
  if (ops::on_cuda(values) && count > 0) {
    return values.scalar_type() == at::kFloat ? squares_on_cuda<float>(values)
                                              : squares_on_cuda<double>(values);
  }
  // Partial sums of fixed chunks, added in order: the same bits for any number of threads.
  std::vector<double> partial(static_cast<size_t>((count + kChunk - 1) / kChunk));
  AT_DISPATCH_FLOATING_TYPES(values.scalar_type(), "sum_of_squares", [&] {
    const auto* data = values.const_data_ptr<scalar_t>();
    at::parallel_for(0, static_cast<int64_t>(partial.size()), 1, [&](int64_t begin, int64_t end) {
      for (int64_t chunk = begin; chunk < end; ++chunk) {
        const int64_t from = chunk * kChunk;
        partial[static_cast<size_t>(chunk)] = squares(data + from, std::min(kChunk, count - from));
      }
    });
  });
  double sum = 0;
  for (const double chunk : partial) sum += chunk;
  return sum;
}

double euclidean_norm(const at::Tensor& values) { return std::sqrt(sum_of_squares(values)); }

}  // namespace fcm::optim
