// Matrix products in the form that GPU libraries take: column-major matrices, each transposed or
// not. This file describes a product of tensors, chooses among several algorithms (both without a
// GPU), and declares the function that runs the product.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>

#include "fcm/ops/cuda/stream.h"

namespace fcm::ops {

enum class GemmType { kFloat32, kBfloat16 };

// Element (row, column) is at row + column * leading.
struct GemmMatrix {
  int64_t rows = 0, columns = 0, leading = 0;
  auto operator<=>(const GemmMatrix&) const = default;
};

// D = op(A) * op(B) + C + bias; op transposes a matrix or not. bias: [rows of D], of D's type,
// added to every column. C has the layout of D. Sums are float32.
struct Gemm {
  GemmMatrix a, b, d;  // as stored
  bool transpose_a = false, transpose_b = false;
  bool bias = false, onto = false;                             // whether there are a bias and a C
  GemmType in = GemmType::kFloat32, out = GemmType::kFloat32;  // of A and B; of C and D
  auto operator<=>(const Gemm&) const = default;
};

// A matrix view of a tensor; one of the strides is 1.
struct StridedMatrix {
  int64_t rows = 0, columns = 0, row_stride = 0, column_stride = 0;
};

// Y = left * right with Y [M, N] contiguous: in column-major terms Y^T = right^T * left^T, so A is
// `right`, B is `left`, and a bias along Y's rows is one along D's columns. The caller sets types,
// bias and onto. nullopt if a matrix has no stride of 1 or no elements.
std::optional<Gemm> gemm_of(const StridedMatrix& left, const StridedMatrix& right);

// Chooses among `count` algorithms for the same work. Algorithm 0 is the standard: others that
// cannot run or give different bits are excluded, so the choice, which depends on timing, never
// changes a result. Returns the remaining one with the smallest median time. They are timed
// alternately, so that other processes disturb all of them equally.
struct Algorithms {
  int count = 0;
  std::function<bool(int)> same_bits;  // runs the algorithm once and compares
  std::function<double(int)> seconds;  // runs it again, timed
};
int fastest_algorithm(const Algorithms& algorithms);

// A, B, bias, C and D in GPU memory, aligned to 16 bytes; null where absent. C may be D.
struct GemmPointers {
  const void *a = nullptr, *b = nullptr, *bias = nullptr, *c = nullptr;
  void* d = nullptr;
};

// Runs the product with cuBLASLt. The first call for each Gemm measures which algorithm is fastest
// (fastest_algorithm) and keeps it for the lifetime of the process. During the capture of a CUDA
// graph nothing can be measured: a new Gemm then uses algorithm 0. Returns false if cuBLASLt has no
// algorithm for the product. Throws Error(kDevice).
[[gnu::weak]] bool run_gemm(const Gemm& gemm, const GemmPointers& pointers, CudaStream stream);

}  // namespace fcm::ops
