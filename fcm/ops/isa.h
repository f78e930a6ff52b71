// The instruction set of the project's own CPU kernels. Chosen once from the processor class
// (base/processor.h; FASTCONVMAE_ISA selects a lower one). ATEN_CPU_CAPABILITY (default, avx2,
// avx512) caps it too, as it caps LibTorch's own kernels.
#pragma once

namespace fcm::ops {

// Each includes the ones before it. kAmx: AVX-512 plus AMX bfloat16 tiles; an operator without AMX
// kernels uses its AVX-512 ones.
enum class Isa { kPlain, kAvx2, kAvx512, kAmx };

Isa isa();
// Whether this processor (and, for AMX, the operating system) supports it, whatever isa() chose.
// Tests run all supported ones.
bool can_run(Isa isa);
const char* isa_name(Isa isa);
bool has_bf16_instructions();  // avx512_bf16: bf16 matrix products are faster than fp32 ones

}  // namespace fcm::ops
