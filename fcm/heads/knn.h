// Classification by the nearest neighbours among known features.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "fcm/heads/accuracy.h"

namespace fcm::heads {

using KnnResult = Accuracy;

struct KnnOptions {
  int64_t k = 20;             // neighbours that vote; a smaller bank votes as a whole
  double temperature = 0.07;  // a neighbour's vote weighs exp(cosine similarity / temperature)
};

// bank_ND, queries_MD: any floating type on the CPU; labels int64 below `classes`. Exact and
// deterministic: of equally similar features the first in the bank is the nearer. Products run in
// float32 over blocks; memory beyond the inputs is one float32 copy of the queries, k neighbours a
// query and some 100 MiB. A feature of length 0 has similarity 0 to everything. Throws Error(kData)
// for labels and shapes, Error(kNumeric) for features that are not finite.
KnnResult knn(const at::Tensor& bank_ND, const at::Tensor& bank_labels_N,
              const at::Tensor& queries_MD, const at::Tensor& query_labels_M, int64_t classes,
              const KnnOptions& options = {});

}  // namespace fcm::heads
