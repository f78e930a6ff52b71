// The instruction set (ISA) whose kernels this process uses. It is chosen once: the highest that
// this processor can run, or the one that the environment variable FASTCONVMAE_ISA names. Like
// LibTorch's ATEN_CPU_CAPABILITY, the variable lets tests run with a lower instruction set
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

// Whether this processor (and for AMX also the operating system) supports the instruction set.
bool can_run(ProcessorClass processor);

// The class with this name; an empty name means the highest that can run. Throws Error(kUsage) for
// an unknown name or a class that this processor does not support.
ProcessorClass processor_class_named(const std::string& name);

// The class that this process uses. Constant for the life of the process.
ProcessorClass processor_class();

}  // namespace fcm
