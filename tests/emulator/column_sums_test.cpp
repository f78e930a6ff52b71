// The CUDA kernel of column sums on the emulator.
#include "tests/emulator/emulated.h"
// Source of the kernel.
#include "fcm/ops/linear/column_sums.cu"
// The operator that launches the kernel.
#include "fcm/ops/cases.h"
#include "fcm/ops/linear/products.h"

namespace fcm::ops {
namespace {

TEST(EmulatedColumnSums, EqualTheSumsOfEveryShape) {
  for (const int64_t rows : {2, 7, 130, 1500}) {
    for (const int64_t columns : {1, 24, 72, 257, 768}) {
      for (const auto dtype : {at::kDouble, at::kFloat, at::kBFloat16}) {
        const at::Tensor dy = case_values({rows, columns}, dtype, 1);
        const at::Tensor x = case_values({rows, 2}, dtype, 2);
        const at::Tensor wanted = dy.to(at::kDouble).sum(0);
        const test::emulator::EmulatedCuda emulated;
        const at::Tensor sums = weight_gradients(std::nullopt, dy, x).second;
        const double tolerance = dtype == at::kDouble ? 1e-13 : 1e-6;
        EXPECT_EQ(test::compare(sums, wanted, tolerance).description, "")
            << rows << " x " << columns << dtype;
        const at::Tensor less = weight_gradients(std::nullopt, dy.narrow(0, 0, rows - 1).clone(),
                                                 x.narrow(0, 0, rows - 1).clone())
                                    .second;
        EXPECT_NE(test::compare(less, wanted, tolerance).description, "");  // negative control
      }
    }
  }
}

TEST(EmulatedLinear, EqualsTheReference) { test::emulator::expect_cases(linear_cases(), 1e5); }

}  // namespace
}  // namespace fcm::ops
