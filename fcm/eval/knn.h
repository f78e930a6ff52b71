// Classification by the nearest neighbours among known features.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "fcm/dist/group.h"
#include "fcm/eval/accuracy.h"

namespace fcm::eval {

using KnnResult = Accuracy;

struct KnnOptions {
  int64_t k = 20;             // neighbours that vote; a smaller bank votes as a whole
  double temperature = 0.07;  // a neighbour's vote weighs exp(cosine similarity / temperature)
};

// One of the known features, as a query sees it.
struct Neighbour {
  double similarity = 0;  // cosine
  int64_t place = 0;      // in the bank, counted over all blocks
  int64_t label = 0;
};

// The k nearest of a bank that comes in blocks and is never held.
//
// Exact: the similarity of two features is the inner product of their float32 unit vectors, summed
// in float64 in one fixed order; of equally similar features the one that came first is the nearer.
// Large products in float32 only find out which features can be among the nearest: their error has
// a bound, and whatever lies within it of the k-th is computed anew. So sizes of blocks and the
// number of threads change no bit. A feature of length 0 has similarity 0 to everything.
//
// Memory: one float32 copy of the queries, 24 k bytes a query, and some 150 MiB.
class NeighbourSearch {
 public:
  // queries_MD: any floating type on the CPU.
  NeighbourSearch(const at::Tensor& queries_MD, int64_t k);

  // The next features of the bank and their labels (int64), as many as there happen to be.
  void add(const at::Tensor& bank_ND, const at::Tensor& labels_N);

  // Of each query, the nearest first: k of them, or the bank.
  const std::vector<std::vector<Neighbour>>& nearest();

  int64_t places() const { return places_; }  // of the bank so far

 private:
  at::Tensor unit_queries_MD_;
  size_t k_;
  int64_t places_ = 0;  // that the bank has so far
  // Of each query a heap whose front is the farthest; or sorted, after nearest().
  std::vector<std::vector<Neighbour>> nearest_;
  bool sorted_ = false;
};

// The k nearest among what all ranks have found, each in its part of the bank, as one search of
// the whole bank finds them. `mine`: of the same queries in every rank; `bank`: size of the part.
std::vector<std::vector<Neighbour>> nearest_of_ranks(
    dist::Group& group, const std::vector<std::vector<Neighbour>>& mine, int64_t bank, int64_t k);

// Weighted votes of the neighbours of each query. query_labels_M: int64 below `classes`.
KnnResult vote(const std::vector<std::vector<Neighbour>>& nearest, const at::Tensor& query_labels_M,
               int64_t classes, double temperature);

// Both steps for a bank that is at hand. bank_ND, queries_MD: any floating type on the CPU; labels
// int64 below `classes`. Deterministic, exact and of bounded memory as above. Throws Error(kData)
// for labels and shapes, Error(kNumeric) for features that are not finite.
KnnResult knn(const at::Tensor& bank_ND, const at::Tensor& bank_labels_N,
              const at::Tensor& queries_MD, const at::Tensor& query_labels_M, int64_t classes,
              const KnnOptions& options = {});

}  // namespace fcm::eval
