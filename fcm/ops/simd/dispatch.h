// Chooses among the builds of a kernel.
#pragma once

#include "fcm/ops/isa.h"

namespace fcm::ops {

// Kernels: an operator's function table, one per instruction set.
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

// pick() for operators with AMX kernels.
template <class Kernels>
const Kernels& pick(Isa isa, const Kernels& plain, const Kernels& avx2, const Kernels& avx512,
                    const Kernels& amx) {
  return isa == Isa::kAmx ? amx : pick(isa, plain, avx2, avx512);
}

}  // namespace fcm::ops
