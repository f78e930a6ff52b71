// Which of the three builds of a kernel to call.
#pragma once

#include "fcm/ops/isa.h"

namespace fcm::ops {

// Kernels: an operator's table of functions, filled once for each instruction set.
template <class Kernels>
const Kernels& pick(Isa isa, const Kernels& plain, const Kernels& avx2, const Kernels& avx512) {
  switch (isa) {
    case Isa::kAmx:
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
