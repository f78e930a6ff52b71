// The two passes of the resampling. All versions give the same bits.
#pragma once

#include <cstdint>

namespace fcm::image {

// Weights are whole numbers scaled by 2^22: with 8-bit pixels a sum stays below 2^31.
inline constexpr int kWeightBits = 22;

// Which source positions make up each output position, along one axis: output i is the sum over
// t < count[i] of weight[i * taps + t] * source[first[i] + t]. Unused taps have weight 0. No
// containers: this is read by code compiled for one instruction set.
struct AxisView {
  int64_t outputs;
  int64_t taps;
  const int32_t* first;
  const int32_t* count;
  const int32_t* weight;
};

// Rows of `cols` pixels. Strides in bytes; the outputs are dense.
struct ResizeKernels {
  // `rows` rows of source pixels to `rows` rows of axis.outputs pixels, mirrored if asked.
  void (*horizontal)(const uint8_t* source, int64_t stride, int64_t rows, int64_t channels,
                     const AxisView& axis, bool mirror, uint8_t* out);
  // Source rows of `bytes` bytes to axis.outputs rows of `bytes` bytes.
  void (*vertical)(const uint8_t* source, int64_t stride, int64_t bytes, const AxisView& axis,
                   uint8_t* out);
};

ResizeKernels plain_resize_kernels();
ResizeKernels avx2_resize_kernels();  // only where the processor has AVX2

}  // namespace fcm::image
