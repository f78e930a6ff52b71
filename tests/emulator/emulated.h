// Makes operators run their CUDA kernels on the emulator, and compares their cases.
#pragma once

#include <ATen/ATen.h>
#include <c10/core/CPUAllocator.h>
#include <gtest/gtest.h>

#include "fcm/ops/cases.h"
#include "tests/emulator/emulator.h"
#include "tests/emulator/guarded_memory.h"
#include "tests/support/compare.h"
#include "tests/support/op_case_results.h"

namespace fcm::test::emulator {

inline bool emulating = false;  // the value of ops::cuda_is_emulated (emulator_test.cpp)

// During its lifetime every operator that has CUDA kernels uses them, and new tensors are allocated
// in guarded memory.
class EmulatedCuda {
 public:
  EmulatedCuda() : before_(c10::GetCPUAllocator()) {
    emulating = true;
    c10::SetCPUAllocator(&GuardedMemory::get());
  }
  ~EmulatedCuda() {
    c10::SetCPUAllocator(before_);
    emulating = false;
  }
  EmulatedCuda(const EmulatedCuda&) = delete;
  EmulatedCuda& operator=(const EmulatedCuda&) = delete;

 private:
  c10::Allocator* before_;
};

inline Results emulated_results(const ops::OpCase& op_case, at::ScalarType dtype) {
  const EmulatedCuda emulated;
  return own_results(op_case, dtype);
}

// Compares every case of at most `most_elements` in float64, float32 and bfloat16 with the float64
// reference. Runs each case twice, with the threads in different orders, and expects equal bits.
inline void expect_cases(const ops::OpCases& table, double most_elements) {
  const OneThread one_thread;
  int compared = 0;
  for (const ops::OpCase& op_case : table.cases) {
    if (op_case.forward_elements > most_elements) continue;
    SCOPED_TRACE(table.op + " " + op_case.name);
    ++compared;
    const unsigned launches = Machine::get().launches();
    const ops::Tolerance& allowed = table.tolerance;
    for (const at::ScalarType dtype : {at::kDouble, at::kFloat, at::kBFloat16}) {
      const Results first = emulated_results(op_case, dtype);
      const Results second = emulated_results(op_case, dtype);
      EXPECT_TRUE(same_bits(first.forward, second.forward)) << c10::toString(dtype);
      for (size_t input = 0; input < first.gradients.size(); ++input) {
        if (!first.gradients[input].defined()) continue;
        EXPECT_TRUE(same_bits(first.gradients[input], second.gradients[input]))
            << "gradient of input " << input << " in " << c10::toString(dtype);
      }
      const bool is_float = dtype == at::kFloat, is_double = dtype == at::kDouble;
      expect_close(
          first, reference_results(op_case, dtype),
          is_double ? 1e-12 : (is_float ? allowed.float32 : allowed.bfloat16),
          is_double ? 1e-12 : (is_float ? allowed.float32_gradient : allowed.bfloat16_gradient),
          dtype);
    }
    // Without a kernel launch, the CPU's kernels would have been compared.
    const bool empty = op_case.name.find("no_") != std::string::npos;
    EXPECT_EQ(Machine::get().launches() > launches, !empty);
  }
  EXPECT_GT(compared, 0);
}

}  // namespace fcm::test::emulator
