// Classifies features (queries) by their nearest neighbours in a bank of labelled features.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "fcm/dist/group.h"
#include "fcm/eval/accuracy.h"

namespace fcm::eval {

using KnnResult = Accuracy;

struct KnnOptions {
  int64_t k = 20;             // neighbours that vote; the whole bank if it is smaller
  double temperature = 0.07;  // votes are exp(cosine similarity / temperature)
};

// A row of the bank as the neighbour of a query.
struct Neighbour {
  double similarity = 0;  // cosine
  int64_t row = 0;        // row in the bank, counted over all blocks
  int64_t label = 0;
};

// Finds the k nearest rows of a bank that arrives in blocks and is never stored as a whole.
//
// The result is exact. The similarity of two features is the inner product of their float32 unit
// vectors, summed in float64 in one fixed order; of equally similar rows, the earlier one is
// nearer. Large float32 matrix products only select candidates: their error has a bound, and the
// similarity of every row that may be nearer than the k-th nearest is recomputed. Therefore neither
// the size of blocks nor the number of threads changes any bit. A feature of length 0 has
// similarity 0 to all.
//
// Memory: one float32 copy of the queries, 24 k bytes per query, and about 150 MiB.
class NeighbourSearch {
 public:
  // queries_MD: any floating type on the CPU.
  NeighbourSearch(const at::Tensor& queries_MD, int64_t k);

  // Adds the next rows of the bank and their labels (int64); any number of rows.
  void add(const at::Tensor& bank_ND, const at::Tensor& labels_N);

  // For each query the k nearest rows, nearest first, or the whole bank if it is smaller. Call
  // after the last add().
  const std::vector<std::vector<Neighbour>>& nearest();

  int64_t rows() const { return rows_; }  // rows in the bank so far

 private:
  at::Tensor unit_queries_MD_;
  size_t k_;
  int64_t rows_ = 0;  // rows in the bank so far
  // For each query a heap with the least similar neighbour at its front; sorted by nearest().
  std::vector<std::vector<Neighbour>> nearest_;
  bool sorted_ = false;
};

// Merges the results of searches in which each rank had one part of the bank. Returns the k nearest
// rows of the whole bank, identical to those of one search. `mine`: this rank's result, for the
// same queries in every rank; `bank`: the number of rows in this rank's part.
std::vector<std::vector<Neighbour>> nearest_of_ranks(
    dist::Group& group, const std::vector<std::vector<Neighbour>>& mine, int64_t bank, int64_t k);

// Classifies each query by its neighbours' weighted votes. query_labels_M: int64, from 0 to
// classes - 1.
KnnResult vote(const std::vector<std::vector<Neighbour>>& nearest, const at::Tensor& query_labels_M,
               int64_t classes, double temperature);

// NeighbourSearch and vote() for a bank in memory. bank_ND, queries_MD: any floating-point type on
// the CPU; labels: int64, from 0 to classes - 1. Throws Error(kData) for wrong labels or shapes,
// Error(kNumeric) for non-finite features.
KnnResult knn(const at::Tensor& bank_ND, const at::Tensor& bank_labels_N,
              const at::Tensor& queries_MD, const at::Tensor& query_labels_M, int64_t classes,
              const KnnOptions& options = {});

}  // namespace fcm::eval
