// CPU kernels of the convolution on raw pointers, one table per instruction set. Internal: used by
// launch.cpp and tests.
#pragma once

#include <cstdint>

namespace fcm::ops::patch_conv {

// Shapes and geometry of one call. A row is one patch, numbered image * slots + slot.
struct Problem {
  int64_t slots = 0;                    // L
  int64_t channels = 0;                 // C
  int64_t side = 0;                     // cells per row and column of a patch, at least 2
  const int32_t* neighbours = nullptr;  // [B, L, 9], symmetric
  const int32_t* stored = nullptr;      // [side * side], raster cell -> stored index
  bool non_temporal = false;  // non-temporal stores of the results, which must be aligned to 64
                              // bytes, with channels a multiple of kPadding
};

constexpr int64_t kTaps = 25;
constexpr int64_t kPackedRows = kTaps + 1;  // the taps, then the bias
constexpr int64_t kPadding = 16;            // channels added to packed and partial buffers

// Kernels for one type of x (T below). Sums and weights have type A: float, or double if T is
// double. Any alignment.
struct StorageKernels {
  // A weight_TC [25, C], A bias_C -> A packed [26 * (C + kPadding)].
  void (*pack)(const void* weight_TC, const void* bias_C, int64_t channels, void* packed);

  // Bytes of scratch memory per thread for the two functions below, to be aligned to 64.
  int64_t (*scratch_bytes)(int64_t side);

  // Rows [begin, end) of y from T x_BLPC.
  void (*forward)(const Problem& problem, const void* x, const void* packed, void* y, int64_t begin,
                  int64_t end, void* scratch);

  // Rows [begin, end) of dx; adds their contribution to the weight gradients to A partial
  // [26 * (C + kPadding)]. If dx or partial is null, it is not computed.
  void (*backward)(const Problem& problem, const void* dy, const void* x, const void* packed,
                   void* dx, void* partial, int64_t begin, int64_t end, void* scratch);

  // Sums `chunks` consecutive partials, first to last, into A sums [26, C]: the gradients of the
  // taps, then of the bias.
  void (*reduce)(const void* partials, int64_t chunks, int64_t channels, void* sums);
};

struct Kernels {
  StorageKernels float32;
  StorageKernels bfloat16;
  StorageKernels float64;
};

}  // namespace fcm::ops::patch_conv

namespace fcm::ops {

extern const patch_conv::Kernels patch_depthwise_conv_plain;
extern const patch_conv::Kernels patch_depthwise_conv_avx2;
extern const patch_conv::Kernels patch_depthwise_conv_avx512;

}  // namespace fcm::ops
