// Tests the descriptions of products that are passed to cuBLASLt on a GPU. In all tests on the
// emulator, run_gemm() below executes them on the CPU.
#include "fcm/ops/linear/gemm.h"

#include "fcm/ops/cases.h"
#include "fcm/ops/linear/gpu_products.h"
#include "fcm/ops/linear/products.h"
#include "tests/emulator/emulated.h"

namespace fcm::ops {
namespace {

int products_done = 0;

// The column-major matrix at `data` as a tensor that shares its memory.
at::Tensor matrix_at(const void* data, const GemmMatrix& matrix, GemmType type) {
  EXPECT_GE(matrix.leading, matrix.rows);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(data) % 16, 0u);
  return at::from_blob(const_cast<void*>(data), {matrix.rows, matrix.columns}, {1, matrix.leading},
                       type == GemmType::kFloat32 ? at::kFloat : at::kBFloat16);
}

}  // namespace

bool run_gemm(const Gemm& gemm, const GemmPointers& pointers, CudaStream) {
  ++products_done;
  const at::Tensor a = matrix_at(pointers.a, gemm.a, gemm.in).to(at::kDouble),
                   b = matrix_at(pointers.b, gemm.b, gemm.in).to(at::kDouble);
  at::Tensor sum = at::mm(gemm.transpose_a ? a.t() : a, gemm.transpose_b ? b.t() : b);
  if (gemm.onto) sum += matrix_at(pointers.c, gemm.d, gemm.out);
  if (gemm.bias) sum += matrix_at(pointers.bias, {gemm.d.rows, 1, gemm.d.rows}, gemm.out);
  matrix_at(pointers.d, gemm.d, gemm.out).copy_(sum);
  return true;
}

namespace {

using test::compare;
using test::emulator::EmulatedCuda;

at::Tensor transposed_in_memory(const at::Tensor& x) { return x.t().contiguous().t(); }

TEST(GpuProducts, EqualTheProductInEveryLayout) {
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    for (const bool transpose_x : {false, true}) {
      for (const bool transpose_b : {false, true}) {
        for (const bool with : {false, true}) {
          const EmulatedCuda emulated;
          at::Tensor x = case_values({24, 40}, type, 1), b = case_values({40, 16}, type, 2);
          const at::Tensor bias = case_values({16}, type, 3), c = case_values({24, 16}, type, 4);
          at::Tensor wanted = at::mm(x.to(at::kDouble), b.to(at::kDouble));
          if (with) wanted = wanted + bias + c;
          if (transpose_x) x = transposed_in_memory(x);
          if (transpose_b) b = transposed_in_memory(b);
          const at::Tensor none;
          const auto got = gpu_product(x, b, with ? bias : none, with ? c : none, type);
          ASSERT_TRUE(got.has_value());
          EXPECT_EQ(got->scalar_type(), type);
          const double tolerance = type == at::kFloat ? 1e-6 : 4e-3;
          EXPECT_EQ(compare(*got, wanted, tolerance).description, "")
              << transpose_x << transpose_b << with;
        }
      }
    }
  }
}

// Negative control: without the transpose flag in the description, the result differs.
TEST(GpuProducts, AForgottenTransposeIsNoticed) {
  const EmulatedCuda emulated;
  const at::Tensor x = case_values({16, 16}, at::kFloat, 1),
                   b = case_values({16, 16}, at::kFloat, 2), wanted = at::mm(x, b),
                   y = at::empty({16, 16}, at::kFloat);
  Gemm gemm = *gemm_of({16, 16, 16, 1}, {16, 16, 16, 1});
  const GemmPointers pointers{b.data_ptr(), x.data_ptr(), nullptr, nullptr, y.data_ptr()};
  run_gemm(gemm, pointers, nullptr);
  EXPECT_EQ(compare(y, wanted, 1e-6).description, "");
  for (bool* transpose : {&gemm.transpose_a, &gemm.transpose_b}) {
    *transpose = true;
    run_gemm(gemm, pointers, nullptr);
    EXPECT_NE(compare(y, wanted, 1e-6).description, "");
    *transpose = false;
  }
}

TEST(GpuProducts, LeaveToLibTorchWhatTheyCannotTake) {
  const EmulatedCuda emulated;
  const auto takes = [](const at::Tensor& x, const at::Tensor& b) {
    return gpu_product(x, b, {}, {}, x.scalar_type()).has_value();
  };
  const at::Tensor x = case_values({24, 40}, at::kFloat, 1),
                   b = case_values({40, 16}, at::kFloat, 2);
  EXPECT_TRUE(takes(x, b));
  EXPECT_FALSE(takes(x.to(at::kDouble), b.to(at::kDouble)));
  EXPECT_FALSE(takes(x.narrow(0, 0, 0), b));                     // no rows
  EXPECT_FALSE(takes(x.narrow(1, 1, 39), b.narrow(0, 1, 39)));   // not aligned to 16 bytes
  EXPECT_FALSE(takes(x, case_values({40, 18}, at::kFloat, 2)));  // rows of 72 bytes
  EXPECT_FALSE(takes(case_values({24, 80}, at::kFloat, 1).slice(1, 0, 80, 2), b));  // strides of 2
}

TEST(GpuProducts, WeightGradientsOfBfloat16AreFloat32) {
  const EmulatedCuda emulated;
  const at::Tensor dy = case_values({300, 24}, at::kBFloat16, 1),
                   x = case_values({300, 16}, at::kBFloat16, 2);
  const at::Tensor dweight = weight_gradients(std::nullopt, dy, x).first;
  ASSERT_EQ(dweight.scalar_type(), at::kFloat);
  EXPECT_EQ(compare(dweight, at::mm(dy.to(at::kDouble).t(), x.to(at::kDouble)), 1e-6).description,
            "");
}

// The last product of a residual branch also adds the residual and the bias.
TEST(GpuProducts, TakeTheResidualAlong) {
  const EmulatedCuda emulated;
  const at::Tensor x = case_values({6, 8}, at::kFloat, 1), b = case_values({8, 4}, at::kFloat, 2),
                   bias = case_values({4}, at::kFloat, 3),
                   residual = case_values({2, 3, 4}, at::kFloat, 4);
  const int before = products_done;
  const at::Tensor y = product_onto(std::nullopt, residual, x, b, bias);
  EXPECT_EQ(products_done, before + 1);
  const at::Tensor wanted = residual + (at::mm(x, b) + bias).view({2, 3, 4});
  EXPECT_EQ(compare(y, wanted, 1e-6).description, "");
  // LibTorch handles residuals whose rows are not contiguous.
  const at::Tensor wide = case_values({2, 4, 4}, at::kFloat, 5), later = wide.slice(1, 1);
  EXPECT_EQ(compare(product_onto(std::nullopt, later, x, b, bias),
                    later + (at::mm(x, b) + bias).view({2, 3, 4}), 1e-6)
                .description,
            "");
  EXPECT_EQ(products_done, before + 1);
}

// Algorithms 1 to 3 are faster than 0, but only 1 gives the same bits as 0, so 2 and 3 are not even
// timed. The first time of algorithm 1 is an outlier.
TEST(FastestAlgorithm, IsOfTheStandardsBits) {
  std::vector<int> timed(4);
  Algorithms algorithms{4, [](int algorithm) { return algorithm == 1; },
                        [&](int algorithm) {
                          const bool disturbed = algorithm == 1 && timed[1] == 0;
                          ++timed[static_cast<size_t>(algorithm)];
                          return disturbed ? 100.0 : (algorithm == 0 ? 3.0 : 2.0);
                        }};
  EXPECT_EQ(fastest_algorithm(algorithms), 1);
  EXPECT_GT(timed[0], 2);
  EXPECT_EQ(timed[2] + timed[3], 0);
  algorithms.seconds = [](int algorithm) { return algorithm == 0 ? 2.0 : 3.0; };
  EXPECT_EQ(fastest_algorithm(algorithms), 0);
  algorithms.same_bits = [](int) { return false; };
  algorithms.seconds = [](int) -> double {
    throw std::logic_error("nothing must be timed if there is only one algorithm");
  };
  EXPECT_EQ(fastest_algorithm(algorithms), 0);
}

TEST(GemmTable, TellsDescriptionsApart) {
  Gemm one = *gemm_of({24, 40, 40, 1}, {40, 16, 16, 1}), other = one;
  EXPECT_EQ(one, other);
  other.onto = true;
  EXPECT_NE(one, other);
  EXPECT_TRUE((one < other) != (other < one));
  EXPECT_NE(one, *gemm_of({24, 40, 40, 1}, {40, 16, 1, 40}));
}

}  // namespace
}  // namespace fcm::ops
