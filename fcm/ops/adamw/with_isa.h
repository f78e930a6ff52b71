// adamw with a chosen instruction set, for tests and benchmarks; op.h takes the best.
#pragma once

#include <span>

#include "fcm/ops/adamw/op.h"
#include "fcm/ops/isa.h"

namespace fcm::ops {

void adamw_with(Isa isa, const AdamWBuffers& buffers, std::span<const AdamWSegment> segments,
                const AdamWFactors& factors);

}  // namespace fcm::ops
