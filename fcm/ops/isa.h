// Which instruction set own kernels use. Decided once from what the processor has; the environment
// variable ATEN_CPU_CAPABILITY (default, avx2, avx512) caps it, as it does LibTorch's own kernels.
#pragma once

namespace fcm::ops {

enum class Isa { kPlain, kAvx2, kAvx512 };

Isa isa();
const char* isa_name(Isa isa);
bool has_bf16_instructions();  // avx512_bf16: bf16 matrix products are faster than fp32 ones

}  // namespace fcm::ops
