// Which instruction set own kernels use. Decided once by the class of the processor
// (base/processor.h: FASTCONVMAE_ISA holds it to a lower one); ATEN_CPU_CAPABILITY (default, avx2,
// avx512) caps it too, as it does LibTorch's own kernels.
#pragma once

namespace fcm::ops {

// Each can do what those before it can. kAmx: AVX-512 and the bfloat16 tiles of AMX; an operator
// without kernels for it takes those for AVX-512.
enum class Isa { kPlain, kAvx2, kAvx512, kAmx };

Isa isa();
// Whether this processor, and for AMX the system, can run it, whatever isa() chose: tests go
// through all that can.
bool can_run(Isa isa);
const char* isa_name(Isa isa);
bool has_bf16_instructions();  // avx512_bf16: bf16 matrix products are faster than fp32 ones

}  // namespace fcm::ops
