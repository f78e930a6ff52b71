// Places for gather_rows as a model gives them, for tests and benchmarks.
#pragma once

#include <ATen/core/Tensor.h>

namespace fcm::ops {

// Sequences as a masked decoder has them: `own` rows of its own for each of N, the other tokens
// from the `table` last rows, all of which occur where N is large enough, none twice in a sequence.
// With own = table = 0: nothing.
struct SharedTable {
  int64_t sequences, own, tokens, table;
  int64_t rows() const { return sequences * own + table; }
  at::Tensor places_NT() const;
};

}  // namespace fcm::ops
