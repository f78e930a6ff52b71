// bfloat16 for kernel files, which do not include LibTorch: the upper half of a float's bits.
#pragma once

#include <stdint.h>

namespace fcm::ops {

struct Bfloat16 {
  uint16_t bits;
};

}  // namespace fcm::ops
