// The CUDA kernel of patchify on the emulator.
#include "tests/emulator/emulated.h"
// Source of the kernel.
#include "fcm/ops/patchify/cuda.cu"
// Operators that launch the kernel.
#include "fcm/ops/cases.h"
#include "fcm/ops/patchify/op.h"

namespace fcm::ops {
namespace {

TEST(EmulatedPatchify, EqualsTheReference) { test::emulator::expect_cases(patchify_cases(), 5e5); }

TEST(EmulatedPatchify, GivesTheBitsOfTheProcessor) {
  for (const OpCase& op_case : patchify_cases().cases) {
    if (op_case.forward_elements > 5e5) continue;
    for (const at::ScalarType dtype : {at::kDouble, at::kFloat, at::kBFloat16}) {
      OpCase::Inputs in = op_case.inputs(dtype, 3);
      const at::Tensor wanted = op_case.run(in);
      const test::emulator::EmulatedCuda emulated;
      EXPECT_TRUE(test::same_bits(op_case.run(in), wanted)) << op_case.name << dtype;
      if (in[0].numel() == 0) continue;
      in[0] = in[0].bitwise_xor(1);
      EXPECT_FALSE(test::same_bits(op_case.run(in), wanted)) << op_case.name;  // negative control
    }
  }
}

}  // namespace
}  // namespace fcm::ops
