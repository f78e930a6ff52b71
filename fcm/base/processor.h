// Which class of processor our kernels are for. Decided once: the highest that this processor can
// run, or the one that the environment variable FASTCONVMAE_ISA names. Read here as
// LibTorch reads ATEN_CPU_CAPABILITY: tests of every kind are held to a class by it
// (scripts/test-as.sh).
#pragma once

#include <string>

namespace fcm {

// Each can do what those before it can.
enum class ProcessorClass {
  kPlain,       // "plain": what every x86-64 has
  kAvx2,        // "avx2": with FMA
  kAvx512,      // "avx512": F, BW, VL and DQ
  kAvx512Bf16,  // "avx512-bf16": products of bfloat16
  kAmx,         // "amx": their tiles, where the system grants them
};

const char* name_of(ProcessorClass processor);

// Whether this processor, and for AMX the system, can run it.
bool can_run(ProcessorClass processor);

// The class of that name; empty: the highest that can be run. Throws Error(kUsage) for an unknown
// name, and for a class that this processor lacks.
ProcessorClass processor_class_named(const std::string& name);

// What FASTCONVMAE_ISA names, as above. The same for the whole life of the process.
ProcessorClass processor_class();

}  // namespace fcm
