// The instruction set (ISA) that kernels are chosen for. Decided once per process: the highest that
// this processor can run, or the one that the environment variable FASTCONVMAE_ISA names. Like
// LibTorch's ATEN_CPU_CAPABILITY, the variable lets any test run at a lower level
// (scripts/test-as.sh).
#pragma once

#include <string>

namespace fcm {

// In ascending order: each includes those before it.
enum class ProcessorClass {
  kPlain,       // "plain": baseline x86-64
  kAvx2,        // "avx2": AVX2 and FMA
  kAvx512,      // "avx512": F, BW, VL and DQ
  kAvx512Bf16,  // "avx512-bf16": bfloat16 dot products
  kAmx,         // "amx": bfloat16 tiles, if the system grants them
};

const char* name_of(ProcessorClass processor);

// Whether this processor (and for AMX also the operating system) supports it.
bool can_run(ProcessorClass processor);

// The class of that name; an empty name means the highest that can run. Throws Error(kUsage) for an
// unknown name or a class this processor lacks.
ProcessorClass processor_class_named(const std::string& name);

// The class chosen by FASTCONVMAE_ISA, as above. Constant for the life of the process.
ProcessorClass processor_class();

}  // namespace fcm
