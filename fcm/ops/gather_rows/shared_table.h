// Row indices for gather_rows as a model uses them, for tests and benchmarks.
#pragma once

#include <ATen/core/Tensor.h>

namespace fcm::ops {

// Sequences as in a masked decoder: each of N sequences has `own` rows of its own; its other tokens
// use some of the last `table` rows, which all sequences share. If `tokens` - `own` is at most
// `table`, no sequence uses a row twice.
struct SharedTable {
  int64_t sequences, own, tokens, table;
  int64_t rows() const { return sequences * own + table; }
  at::Tensor indices_NT() const;
};

}  // namespace fcm::ops
