// The machine's peaks, to which every share of a peak refers. Measure on an idle machine.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "fcm/ops/peak/kernel.h"

namespace fcm::ops {

// A unit of the processor that multiplies and adds.
struct PeakUnit {
  at::ScalarType type;  // of the factors: kFloat or kBFloat16; sums are float32
  const char* by;       // the class of processor that has it: "avx2", "avx512-bf16", "amx"
  const PeakKernel* kernel;
};

// Those that isa() allows, float32 first.
std::vector<PeakUnit> peak_units();

// Which threads measure: LibTorch's, wherever the system puts them, or one bound to each of
// `hyperthreads` (base/cores.h).
struct PeakThreads {
  std::vector<int> hyperthreads;
  int64_t count() const;
};

// Operations a second of multiply-adds in registers. Takes about a tenth of a second.
double measure_multiply_adds(const PeakUnit& unit, const PeakThreads& threads = {});

// Bytes a second: read, and read plus written by copies whose stores pass the caches. Half a
// gigabyte goes by, in about half a second.
double measure_read(const PeakThreads& threads = {});
double measure_copy(const PeakThreads& threads = {});

// The most operations a second on numbers of that type. A processor's is that of the fastest of its
// units, with LibTorch's threads; of float32 also a sixth of what tiles do, since products by tiles
// take six for one (ops/linear). A GPU's is what a product of 8192 x 8192 reaches.
double peak_flops(at::ScalarType type, at::Device device = at::kCPU);

// The most bytes a second, read or read plus written; of a GPU those of copying four gigabytes.
double peak_bytes_per_second(at::Device device = at::kCPU);

}  // namespace fcm::ops
