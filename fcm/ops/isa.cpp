#include "fcm/ops/isa.h"

#include <ATen/Version.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>

namespace fcm::ops {
namespace {

// Linux gives the tile registers, 8 KiB a thread, only to processes that ask.
bool tiles_are_granted() {
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  static const bool granted = syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return granted;
}

Isa detect() {
  const std::string cap = at::get_cpu_capability();  // honours ATEN_CPU_CAPABILITY
  if (cap == "AVX512") {
    for (const Isa best : {Isa::kAmx, Isa::kAvx512}) {
      if (can_run(best)) return best;
    }
  }
  if (cap != "DEFAULT" && cap != "NO AVX" && can_run(Isa::kAvx2)) return Isa::kAvx2;
  return Isa::kPlain;
}

}  // namespace

bool can_run(Isa isa) {
  switch (isa) {
    case Isa::kAmx:
      return can_run(Isa::kAvx512) && __builtin_cpu_supports("avx512bf16") &&
             __builtin_cpu_supports("amx-tile") && __builtin_cpu_supports("amx-bf16") &&
             tiles_are_granted();
    case Isa::kAvx512:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    case Isa::kAvx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case Isa::kPlain:
      break;
  }
  return true;
}

Isa isa() {
  static const Isa chosen = detect();
  return chosen;
}

const char* isa_name(Isa isa) {
  switch (isa) {
    case Isa::kAmx:
      return "amx";
    case Isa::kAvx512:
      return "avx512";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kPlain:
      break;
  }
  return "plain";
}

bool has_bf16_instructions() {
  return isa() >= Isa::kAvx512 && __builtin_cpu_supports("avx512bf16");
}

}  // namespace fcm::ops
