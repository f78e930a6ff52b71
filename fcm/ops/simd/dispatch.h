// Which of the three builds of a kernel to call.
#pragma once

#include "fcm/ops/isa.h"

namespace fcm::ops {

// Whether this processor can run it, whatever isa() chose: tests go through all that can.
inline bool can_run(Isa isa) {
  switch (isa) {
    case Isa::kAvx512:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    case Isa::kAvx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case Isa::kPlain:
      break;
  }
  return true;
}

// Kernels: an operator's table of functions, filled once for each instruction set.
template <class Kernels>
const Kernels& pick(Isa isa, const Kernels& plain, const Kernels& avx2, const Kernels& avx512) {
  switch (isa) {
    case Isa::kAvx512:
      return avx512;
    case Isa::kAvx2:
      return avx2;
    case Isa::kPlain:
      break;
  }
  return plain;
}

}  // namespace fcm::ops
