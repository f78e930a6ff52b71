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
  int64_t source;  // positions that may be read
  int64_t outputs;
  int64_t taps;  // a multiple of 4
  const int32_t* first;
  const int32_t* count;
  const int32_t* weight;
  // The same weights as digits of -128 .. 127 in base 256: weight = d0 + 256 d1 + 65536 d2. The
  // digits d_k of taps 4g .. 4g+3 of output i are the bytes of digits[(i * taps / 4 + g) * 3 + k],
  // the first tap lowest. Products of bytes are exact, so are their sums put together.
  const int32_t* digits;
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
ResizeKernels vnni_resize_kernels();  // only where it has AVX-512 F, BW, VL, DQ and VNNI
bool has_vnni();                      // all of these

}  // namespace fcm::image
