#include "fcm/ops/gather_rows/passes.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/ops/profile_scope.h"
#include "fcm/ops/simd/blocks.h"

namespace fcm::ops {
namespace {

// The tokens that use each row, in ascending order: those of row r are tokens[first[r]] to
// tokens[first[r + 1] - 1].
struct TokensByRow {
  std::vector<int64_t> first, tokens;

  TokensByRow(const at::Tensor& indices_NT, int64_t rows)
      : first(static_cast<size_t>(rows) + 1), tokens(static_cast<size_t>(indices_NT.numel())) {
    const int64_t* places = indices_NT.const_data_ptr<int64_t>();
    const auto count = static_cast<int64_t>(tokens.size());
    for (int64_t token = 0; token < count; ++token) ++first[static_cast<size_t>(places[token]) + 1];
    for (size_t row = 0; row < static_cast<size_t>(rows); ++row) first[row + 1] += first[row];
    std::vector<int64_t> next = first;
    for (int64_t token = 0; token < count; ++token) {
      tokens[static_cast<size_t>(next[static_cast<size_t>(places[token])]++)] = token;
    }
  }
};

// Sums the tokens of one row. The compiler vectorises the loops only with the pragma.
template <class T, class A>
void sum_row(const T* x, const int64_t* begin, const int64_t* end, int64_t columns, A* sums,
             T* to) {
  if (end - begin == 1) {  // most rows have one token
    std::memcpy(to, x + *begin * columns, static_cast<size_t>(columns) * sizeof(T));
    return;
  }
  std::fill(sums, sums + columns, A(0));
  for (const int64_t* token = begin; token != end; ++token) {
    const T* from = x + *token * columns;
#pragma omp simd
    for (int64_t i = 0; i < columns; ++i) sums[i] += static_cast<A>(from[i]);
  }
#pragma omp simd
  for (int64_t i = 0; i < columns; ++i) to[i] = static_cast<T>(sums[i]);
}

template <class T, class A>
void sum_rows(const at::Tensor& x, const TokensByRow& by_row, const at::Tensor& sums_RC) {
  // Tasks. Their rows are interleaved, because some rows have many more tokens than others.
  constexpr int64_t kShares = 64;
  const int64_t rows = sums_RC.size(0), columns = sums_RC.size(1);
  const T* from = x.const_data_ptr<T>();
  T* to = sums_RC.data_ptr<T>();
  at::parallel_for(0, kShares, 1, [&](int64_t begin, int64_t end) {
    std::vector<A> sums(static_cast<size_t>(columns));
    for (int64_t share = begin; share < end; ++share) {
      for (int64_t row = share; row < rows; row += kShares) {
        const int64_t* tokens = by_row.tokens.data();
        const auto at = static_cast<size_t>(row);
        sum_row(from, tokens + by_row.first[at], tokens + by_row.first[at + 1], columns,
                sums.data(), to + row * columns);
      }
    }
  });
}

}  // namespace

at::Tensor gathered(const at::Tensor& rows_RC, const at::Tensor& indices_NT) {
  const int64_t columns = rows_RC.size(1), count = indices_NT.numel();
  const std::vector<int64_t> sizes{indices_NT.size(0), indices_NT.size(1), columns};
  if (!rows_RC.is_cpu()) return rows_RC.index_select(0, indices_NT.reshape({-1})).view(sizes);
  const at::Tensor places = indices_NT.contiguous(), result = at::empty(sizes, rows_RC.options());
  const ProfileScope timed("gather rows", 0, 2.0 * static_cast<double>(result.nbytes()));
  const int64_t* place = places.const_data_ptr<int64_t>();
  const int64_t bytes = columns * rows_RC.element_size(), rows = rows_RC.size(0);
  const char* from = static_cast<const char*>(rows_RC.const_data_ptr());
  char* to = static_cast<char*>(result.data_ptr());
  for_each_block(Blocks{count, 16}, [&](int64_t block) {
    for (int64_t i = 0, token = 16 * block; i < 16 && token < count; ++i, ++token) {
      require(place[token] >= 0 && place[token] < rows,
              "gather_rows: token {} has row index {}, expected one of {} rows", token,
              place[token], rows);
      std::memcpy(to + token * bytes, from + place[token] * bytes, static_cast<size_t>(bytes));
    }
  });
  return result;
}

at::Tensor summed_by_row(const at::Tensor& x_NTC, const at::Tensor& indices_NT, int64_t rows) {
  if (!x_NTC.is_cpu()) return summed_by_row_library(x_NTC, indices_NT, rows);
  const ProfileScope timed("sum by row", 0, static_cast<double>(x_NTC.nbytes()));
  const TokensByRow by_row(indices_NT.contiguous(), rows);
  const at::Tensor sums_RC = at::empty({rows, x_NTC.size(2)}, x_NTC.options());
  if (x_NTC.scalar_type() == at::kFloat) {
    sum_rows<float, float>(x_NTC, by_row, sums_RC);
  } else if (x_NTC.scalar_type() == at::kBFloat16) {
    sum_rows<at::BFloat16, float>(x_NTC, by_row, sums_RC);
  } else {
    sum_rows<double, double>(x_NTC, by_row, sums_RC);
  }
  return sums_RC;
}

// index_put is LibTorch's only addition by index that is deterministic on a GPU too. It rounds
// after every addition, so bfloat16 is summed in float32. unsafe = true, because checking the
// indices would sync with the GPU.
at::Tensor summed_by_row_library(const at::Tensor& x_NTC, const at::Tensor& indices_NT,
                                 int64_t rows) {
  const auto type = x_NTC.scalar_type();
  const int64_t columns = x_NTC.size(2);
  const at::Tensor x = x_NTC.reshape({-1, columns}).to(type == at::kDouble ? type : at::kFloat);
  at::Tensor sums_RC = at::zeros({rows, columns}, x.options());
  at::_index_put_impl_(sums_RC, {indices_NT.reshape({-1})}, x, /*accumulate=*/true,
                       /*unsafe=*/true);
  return sums_RC.to(type);
}

}  // namespace fcm::ops
