// The two passes of resampling. All versions are bit-identical.
#pragma once

#include <cstdint>

namespace fcm::image {

// Weights are fixed point, scaled by 2^22: with 8-bit pixels a sum stays below 2^31.
inline constexpr int kWeightBits = 22;

// Resampling weights along one axis: output i is the sum over t < count[i] of weight[i * taps + t]
// * source[first[i] + t]. Unused taps have weight 0. The struct has pointers instead of containers,
// because code that is compiled for one instruction set must not instantiate container functions
// (resize_passes.h).
struct AxisView {
  int64_t source;  // source pixels that may be read
  int64_t outputs;
  int64_t taps;  // a multiple of 4
  const int32_t* first;
  const int32_t* count;
  const int32_t* weight;
  // The same weights as signed digits of -128 .. 127 in base 256: weight = d0 + 256 d1 + 65536 d2.
  // The digits d_k of taps 4g .. 4g+3 of output i are the bytes of digits[(i * taps / 4 + g) * 3 +
  // k], lowest byte first. Sums of products with these bytes are exact in int32.
  const int32_t* digits;
};

// Strides are in bytes; outputs are dense.
struct ResizeKernels {
  // Resizes `rows` rows of source pixels to axis.outputs pixels each, optionally mirrored.
  void (*horizontal)(const uint8_t* source, int64_t stride, int64_t rows, int64_t channels,
                     const AxisView& axis, bool mirror, uint8_t* out);
  // Resizes the source rows, of `bytes` bytes each, to axis.outputs rows of `bytes` bytes.
  void (*vertical)(const uint8_t* source, int64_t stride, int64_t bytes, const AxisView& axis,
                   uint8_t* out);
};

ResizeKernels plain_resize_kernels();
ResizeKernels avx2_resize_kernels();  // requires AVX2
ResizeKernels vnni_resize_kernels();  // requires AVX-512 F, BW, VL, DQ and VNNI
bool has_vnni();                      // whether the processor has these

}  // namespace fcm::image
