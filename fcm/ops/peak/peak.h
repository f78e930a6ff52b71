// The peak throughput of the processor.
#pragma once

#include "fcm/ops/isa.h"

namespace fcm::ops {

// float32 operations per second of multiply-adds in registers, on LibTorch's current number of
// threads: an upper bound for float32 products on vector units. Takes about 0.2 s on an otherwise
// idle machine.
double measure_fma_flops(Isa isa);

}  // namespace fcm::ops
