#include "fcm/ops/isa.h"

#include <ATen/Version.h>

#include <string>

namespace fcm::ops {
namespace {

Isa detect() {
  const std::string cap = at::get_cpu_capability();  // honours ATEN_CPU_CAPABILITY
  if (cap == "AVX512" && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")) {
    return Isa::kAvx512;
  }
  if (cap != "DEFAULT" && cap != "NO AVX" && __builtin_cpu_supports("avx2") &&
      __builtin_cpu_supports("fma")) {
    return Isa::kAvx2;
  }
  return Isa::kPlain;
}

}  // namespace

Isa isa() {
  static const Isa chosen = detect();
  return chosen;
}

const char* isa_name(Isa isa) {
  switch (isa) {
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
  return isa() == Isa::kAvx512 && __builtin_cpu_supports("avx512bf16");
}

}  // namespace fcm::ops
