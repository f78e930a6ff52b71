// Measures the machine's peak rates, to which every share of a peak refers. The machine should be
// idle.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "fcm/ops/peak/kernel.h"

namespace fcm::ops {

// A unit of the processor that multiplies and adds.
struct PeakUnit {
  at::ScalarType type;  // of the factors: kFloat or kBFloat16; sums are float32
  const char* by;       // name of its instruction set: "avx2", "avx512-bf16", "amx"
  const PeakKernel* kernel;
};

// The units that isa() allows, float32 first.
std::vector<PeakUnit> peak_units();

// The threads that measure: LibTorch's threads, unbound, if `hyperthreads` is empty; otherwise one
// thread bound to each of them (base/cores.h).
struct PeakThreads {
  std::vector<int> hyperthreads;
  int64_t count() const;
};

// Multiplications plus additions per second, on registers only. Takes about 0.1 s.
double measure_multiply_adds(const PeakUnit& unit, const PeakThreads& threads = {});

// Bytes per second: of reading, and read plus written of copying with non-temporal stores. Needs
// 512 MiB of memory and about half a second.
double measure_read(const PeakThreads& threads = {});
double measure_copy(const PeakThreads& threads = {});

// The most operations per second on this type. For a processor: the rate of its fastest unit with
// LibTorch's threads; for float32, AMX tiles count with a sixth of their rate, because a float32
// product takes six products of tiles (ops/linear). For a GPU: the rate of an 8192 x 8192 product.
double peak_flops(at::ScalarType type, at::Device device = at::kCPU);

// The most bytes per second, of reading or of copying (read plus written). For a GPU: of copying
// 2 GiB.
double peak_bytes_per_second(at::Device device = at::kCPU);

}  // namespace fcm::ops
