#include "fcm/ops/isa.h"

#include <ATen/Version.h>

#include <string>

#include "fcm/base/processor.h"

namespace fcm::ops {
namespace {

// The processor class that an instruction set needs.
ProcessorClass class_for(Isa isa) {
  switch (isa) {
    case Isa::kAmx:
      return ProcessorClass::kAmx;
    case Isa::kAvx512:
      return ProcessorClass::kAvx512;
    case Isa::kAvx2:
      return ProcessorClass::kAvx2;
    case Isa::kPlain:
      break;
  }
  return ProcessorClass::kPlain;
}

Isa cap_of_libtorch() {
  const std::string cap = at::get_cpu_capability();  // respects ATEN_CPU_CAPABILITY
  if (cap == "AVX512") return Isa::kAmx;
  return cap == "DEFAULT" || cap == "NO AVX" ? Isa::kPlain : Isa::kAvx2;
}

Isa detect() {
  const Isa cap = cap_of_libtorch();
  for (const Isa best : {Isa::kAmx, Isa::kAvx512, Isa::kAvx2}) {
    if (best <= cap && class_for(best) <= processor_class()) return best;
  }
  return Isa::kPlain;
}

}  // namespace

bool can_run(Isa isa) { return fcm::can_run(class_for(isa)); }

Isa isa() {
  static const Isa chosen = detect();
  return chosen;
}

const char* isa_name(Isa isa) { return name_of(class_for(isa)); }

bool has_bf16_instructions() {
  return isa() >= Isa::kAvx512 && processor_class() >= ProcessorClass::kAvx512Bf16;
}

}  // namespace fcm::ops
