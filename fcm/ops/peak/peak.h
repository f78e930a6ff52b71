// What the processor can do at most, whatever the program.
#pragma once

#include "fcm/ops/isa.h"

namespace fcm::ops {

// float32 operations per second of multiply-adds in registers, on as many threads as LibTorch has:
// no float32 product on vector units can be faster. Takes about 0.2 s. Run nothing beside it.
double measure_fma_flops(Isa isa);

}  // namespace fcm::ops
