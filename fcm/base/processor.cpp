#include "fcm/base/processor.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "fcm/base/error.h"

namespace fcm {
namespace {

constexpr std::array kHighestFirst = {ProcessorClass::kAmx, ProcessorClass::kAvx512Bf16,
                                      ProcessorClass::kAvx512, ProcessorClass::kAvx2,
                                      ProcessorClass::kPlain};

// Linux enables the AMX tile registers (8 KiB of state per thread) only on request.
bool tiles_are_granted() {
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  static const bool granted = syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return granted;
}

ProcessorClass highest() {
  for (const ProcessorClass processor : kHighestFirst) {
    if (can_run(processor)) return processor;
  }
  return ProcessorClass::kPlain;
}

}  // namespace

const char* name_of(ProcessorClass processor) {
  switch (processor) {
    case ProcessorClass::kAmx:
      return "amx";
    case ProcessorClass::kAvx512Bf16:
      return "avx512-bf16";
    case ProcessorClass::kAvx512:
      return "avx512";
    case ProcessorClass::kAvx2:
      return "avx2";
    case ProcessorClass::kPlain:
      break;
  }
  return "plain";
}

bool can_run(ProcessorClass processor) {
  switch (processor) {
    case ProcessorClass::kAmx:
      return can_run(ProcessorClass::kAvx512Bf16) && __builtin_cpu_supports("amx-tile") &&
             __builtin_cpu_supports("amx-bf16") && tiles_are_granted();
    case ProcessorClass::kAvx512Bf16:
      return can_run(ProcessorClass::kAvx512) && __builtin_cpu_supports("avx512bf16");
    case ProcessorClass::kAvx512:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    case ProcessorClass::kAvx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case ProcessorClass::kPlain:
      break;
  }
  return true;
}

ProcessorClass processor_class_named(const std::string& name) {
  if (name.empty()) return highest();
  for (const ProcessorClass processor : kHighestFirst) {
    if (name != name_of(processor)) continue;
    if (can_run(processor)) return processor;
    fail(ExitCode::kUsage,
         "FASTCONVMAE_ISA={}: this processor supports at most {}; unset the variable to use that",
         name, name_of(highest()));
  }
  fail(ExitCode::kUsage,
       "FASTCONVMAE_ISA={} is not an instruction set; use plain, avx2, avx512, avx512-bf16 or "
       "amx",
       name);
}

ProcessorClass processor_class() {
  static const ProcessorClass chosen = [] {
    const char* const name = std::getenv("FASTCONVMAE_ISA");
    return processor_class_named(name == nullptr ? "" : name);
  }();
  return chosen;
}

}  // namespace fcm
