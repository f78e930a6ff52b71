#include "fcm/ops/patch_depthwise_conv/launch.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstring>

#include "fcm/base/error.h"
#include "fcm/ops/cuda/place.h"
#include "fcm/ops/patch_depthwise_conv/cuda.h"
#include "fcm/ops/profile_scope.h"
#include "fcm/ops/simd/dispatch.h"

namespace fcm::ops::patch_conv {
namespace {

const StorageKernels& storage_kernels(const Kernels& kernels, at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return kernels.float32;
    case at::kBFloat16:
      return kernels.bfloat16;
    case at::kDouble:
      return kernels.float64;
    default:
      break;
  }
  require(false, "[patch_depthwise_conv] expected x of float32, bfloat16 or float64, got {}",
          c10::toString(type));
  return kernels.float32;
}

at::ScalarType sum_type(const at::Tensor& x) {
  return x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

// Results from this size on are evicted from the L2 cache before they are read.
constexpr size_t kNonTemporalBytes = size_t{8} << 20;

Problem problem_of(const at::Tensor& x_BLPC, const Geometry& geometry, const void* result) {
  const int64_t channels = x_BLPC.size(3);
  const bool non_temporal = x_BLPC.nbytes() >= kNonTemporalBytes && channels % kPadding == 0 &&
                            reinterpret_cast<uintptr_t>(result) % 64 == 0;
  return {x_BLPC.size(1),
          channels,
          geometry.side,
          geometry.neighbours_BL9.const_data_ptr<int32_t>(),
          geometry.stored.const_data_ptr<int32_t>(),
          non_temporal};
}

// Weights and bias as the kernels need them.
at::Tensor packed_weights(const StorageKernels& kernels, const at::Tensor& x,
                          const at::Tensor& weight_TC, const at::Tensor& bias_C) {
  const int64_t channels = x.size(3);
  const at::Tensor weight = weight_TC.to(sum_type(x)).contiguous();
  const at::Tensor bias = bias_C.to(sum_type(x)).contiguous();
  at::Tensor packed = at::empty({kPackedRows * (channels + kPadding)}, weight.options());
  kernels.pack(weight.const_data_ptr(), bias.const_data_ptr(), channels, packed.mutable_data_ptr());
  return packed;
}

at::Tensor scratch_memory(const StorageKernels& kernels, int64_t side) {
  return at::empty({kernels.scratch_bytes(side)}, at::TensorOptions().dtype(at::kByte));
}

// T: element type, A: type of weights and sums.
template <class T, class A>
struct OnCuda {
  static CudaShape shape(const at::Tensor& x_BLPC, const Geometry& geometry) {
    return {x_BLPC.size(0) * x_BLPC.size(1),
            x_BLPC.size(1),
            x_BLPC.size(3),
            geometry.side,
            geometry.neighbours_BL9.const_data_ptr<int32_t>(),
            geometry.stored.const_data_ptr<int32_t>()};
  }

  static at::Tensor forward(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                            const Geometry& geometry) {
    at::Tensor y = at::empty_like(x, at::MemoryFormat::Contiguous);
    if (x.numel() == 0) return y;
    forward_cuda(CudaForward<T, A>{shape(x, geometry), static_cast<const T*>(x.const_data_ptr()),
                                   weight.const_data_ptr<A>(), bias.const_data_ptr<A>(),
                                   static_cast<T*>(y.data_ptr())},
                 cuda_stream_for(x));
    return y;
  }

  static Gradients backward(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight,
                            const Geometry& geometry, bool want_dx, bool want_weights) {
    CudaBackward<T, A> pass{shape(x, geometry),
                            static_cast<const T*>(dy.const_data_ptr()),
                            static_cast<const T*>(x.const_data_ptr()),
                            weight.const_data_ptr<A>(),
                            nullptr,
                            nullptr,
                            nullptr};
    const int64_t channels = pass.shape.channels;
    Gradients gradients;
    at::Tensor parts, sums;
    if (want_dx) {
      gradients.dx_BLPC = at::empty_like(x, at::MemoryFormat::Contiguous);
      pass.dx = static_cast<T*>(gradients.dx_BLPC.data_ptr());
    }
    if (want_weights) {
      sums = at::empty({kPackedRows, channels}, weight.options());
      parts = at::empty({cuda_parts(pass.shape.rows), kPackedRows, channels}, weight.options());
      pass.parts = parts.data_ptr<A>();
      pass.sums = sums.data_ptr<A>();
      gradients.dweight_TC = sums.narrow(0, 0, kTaps);
      gradients.dbias_C = sums[kTaps];
    }
    if (x.numel() > 0) {
      backward_cuda(pass, cuda_stream_for(x));
    } else if (want_weights) {
      sums.zero_();
    }
    return gradients;
  }
};

// Calls task with the OnCuda for the type of x.
template <class Task>
auto with_types(const at::Tensor& x, const Task& task) {
  if (x.scalar_type() == at::kBFloat16) return task(OnCuda<Bfloat16, float>{});
  if (x.scalar_type() == at::kDouble) return task(OnCuda<double, double>{});
  return task(OnCuda<float, float>{});
}

// Fewest patches that are worth a thread.
int64_t smallest_part(const Problem& problem) {
  constexpr int64_t kValues = 32768;
  return std::max<int64_t>(1, kValues / (problem.side * problem.side * problem.channels));
}

// Patches in one part of backward. The parts do not depend on the number of threads, and their sums
// are added in order, so the bits of the result do not depend on it either.
int64_t rows_of_part(int64_t rows) {
  constexpr int64_t kMostParts = 64, kFewestRows = 64;
  return std::max(kFewestRows, (rows + kMostParts - 1) / kMostParts);
}

}  // namespace

const Kernels& kernels_for(Isa isa) {
  return pick(isa, patch_depthwise_conv_plain, patch_depthwise_conv_avx2,
              patch_depthwise_conv_avx512);
}

at::Tensor forward(const Kernels& kernels, const at::Tensor& x_BLPC, const at::Tensor& weight_TC,
                   const at::Tensor& bias_C, const Geometry& geometry) {
  const ProfileScope timed("depthwise convolution", 0, 2.0 * static_cast<double>(x_BLPC.nbytes()));
  const StorageKernels& chosen = storage_kernels(kernels, x_BLPC.scalar_type());
  if (on_cuda(x_BLPC, {weight_TC, bias_C, geometry.neighbours_BL9})) {
    const at::Tensor weight = weight_TC.to(sum_type(x_BLPC)).contiguous();
    const at::Tensor bias = bias_C.to(sum_type(x_BLPC)).contiguous();
    return with_types(x_BLPC, [&](auto on) { return on.forward(x_BLPC, weight, bias, geometry); });
  }
  const at::Tensor packed = packed_weights(chosen, x_BLPC, weight_TC, bias_C);
  at::Tensor y_BLPC = at::empty_like(x_BLPC, at::MemoryFormat::Contiguous);
  void* y = y_BLPC.mutable_data_ptr();
  const Problem problem = problem_of(x_BLPC, geometry, y);
  const int64_t rows = x_BLPC.size(0) * x_BLPC.size(1);
  at::parallel_for(0, rows, smallest_part(problem), [&](int64_t begin, int64_t end) {
    const at::Tensor scratch = scratch_memory(chosen, geometry.side);
    chosen.forward(problem, x_BLPC.const_data_ptr(), packed.const_data_ptr(), y, begin, end,
                   scratch.mutable_data_ptr());
  });
  return y_BLPC;
}

Gradients backward(const Kernels& kernels, const at::Tensor& dy_BLPC, const at::Tensor& x_BLPC,
                   const at::Tensor& weight_TC, const Geometry& geometry, bool want_dx,
                   bool want_weights) {
  const ProfileScope timed("depthwise convolution gradients", 0,
                           3.0 * static_cast<double>(x_BLPC.nbytes()));
  const StorageKernels& chosen = storage_kernels(kernels, x_BLPC.scalar_type());
  if (on_cuda(x_BLPC, {dy_BLPC, weight_TC, geometry.neighbours_BL9})) {
    const at::Tensor weight = weight_TC.to(sum_type(x_BLPC)).contiguous();
    return with_types(x_BLPC, [&](auto on) {
      return on.backward(dy_BLPC, x_BLPC, weight, geometry, want_dx, want_weights);
    });
  }
  const int64_t channels = x_BLPC.size(3), rows = x_BLPC.size(0) * x_BLPC.size(1);
  const int64_t part_rows = rows_of_part(rows), parts = (rows + part_rows - 1) / part_rows;
  const at::Tensor packed = packed_weights(chosen, x_BLPC, weight_TC, weight_TC[0]);
  Gradients gradients;
  if (want_dx) gradients.dx_BLPC = at::empty_like(x_BLPC, at::MemoryFormat::Contiguous);
  at::Tensor partials;
  if (want_weights) {
    partials = at::empty({parts, kPackedRows * (channels + kPadding)}, packed.options());
  }
  void* dx = want_dx ? gradients.dx_BLPC.mutable_data_ptr() : nullptr;
  const Problem problem = problem_of(x_BLPC, geometry, dx);
  char* first_partial = want_weights ? static_cast<char*>(partials.mutable_data_ptr()) : nullptr;
  const auto partial_bytes = static_cast<size_t>(packed.nbytes());
  at::parallel_for(0, parts, 1, [&](int64_t begin, int64_t end) {
    const at::Tensor scratch = scratch_memory(chosen, geometry.side);
    for (int64_t part = begin; part < end; ++part) {
      char* partial = nullptr;
      if (want_weights) {
        partial = first_partial + static_cast<size_t>(part) * partial_bytes;
        std::memset(partial, 0, partial_bytes);
      }
      chosen.backward(problem, dy_BLPC.const_data_ptr(), x_BLPC.const_data_ptr(),
                      packed.const_data_ptr(), dx, partial, part * part_rows,
                      std::min(rows, (part + 1) * part_rows), scratch.mutable_data_ptr());
    }
  });
  if (want_weights) {
    const at::Tensor sums = at::empty({kPackedRows, channels}, packed.options());
    chosen.reduce(partials.const_data_ptr(), parts, channels, sums.mutable_data_ptr());
    gradients.dweight_TC = sums.narrow(0, 0, kTaps);
    gradients.dbias_C = sums[kTaps];
  }
  return gradients;
}

}  // namespace fcm::ops::patch_conv
