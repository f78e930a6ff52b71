// Matrix products as libraries for GPUs take them: matrices by columns, each turned or not. What
// needs no GPU of that: which description belongs to a product of tensors, and a choice among
// several ways to do it.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>

#include "fcm/ops/cuda/stream.h"

namespace fcm::ops {

enum class GemmType { kFloat32, kBfloat16 };

// Element (row, column) lies at row + column * leading.
struct GemmMatrix {
  int64_t rows = 0, columns = 0, leading = 0;
  auto operator<=>(const GemmMatrix&) const = default;
};

// D = op(A) * op(B) + C + bias; op turns a matrix or leaves it. bias: [rows of D], of D's type,
// added to every column. C is laid out like D. Sums are float32.
struct Gemm {
  GemmMatrix a, b, d;  // as they are stored
  bool turn_a = false, turn_b = false;
  bool bias = false, onto = false;                             // whether there are bias and C
  GemmType in = GemmType::kFloat32, out = GemmType::kFloat32;  // of A and B; of C and D
  auto operator<=>(const Gemm&) const = default;
};

// Of a tensor; one of the strides is 1.
struct StridedMatrix {
  int64_t rows = 0, columns = 0, row_stride = 0, column_stride = 0;
};

// Y = left * right with Y [M, N] contiguous: by columns it is Y^T = right^T * left^T, so that A is
// `right` and B is `left`, and a bias along Y's rows is one along D's columns. Types, bias and onto
// are the caller's to set. Nothing where a matrix has no stride of 1 or no elements.
std::optional<Gemm> gemm_of(const StridedMatrix& left, const StridedMatrix& right);

// Which of `count` ways to do the same work. The first is the standard: one that cannot run or does
// not give its bits is left out, so that the choice, which depends on times, alters no result. Of
// the others the one whose median time is least; the first where nothing else is left. Ways are
// timed in turns, so that whatever else the machine does meets all.
struct Ways {
  int count = 0;
  std::function<bool(int)> same_bits;  // does the work by that way once
  std::function<double(int)> seconds;  // does it again
};
int quickest_way(const Ways& ways);

// A, B, bias, C and D in the GPU's memory, aligned to 16 bytes; null where there is none. C may be
// D.
struct GemmPointers {
  const void *a = nullptr, *b = nullptr, *bias = nullptr, *c = nullptr;
  void* d = nullptr;
};

// By cuBLASLt. The first call for each Gemm measures which of its algorithms is quickest
// (quickest_way) and keeps it as long as the process lives, except while work is recorded: then
// nothing can be measured, and a Gemm not met before takes the first. False: cuBLASLt has no
// algorithm for it. Throws Error(kDevice).
[[gnu::weak]] bool run_gemm(const Gemm& gemm, const GemmPointers& pointers, CudaStream stream);

}  // namespace fcm::ops
