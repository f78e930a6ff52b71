#include "fcm/eval/knn.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "fcm/base/error.h"

namespace fcm::eval {
namespace {

constexpr int64_t kQueryBlock = 1024;
constexpr int64_t kBankBlock = 8192;
constexpr int64_t kBlockBytes = 64 << 20;
constexpr int64_t kSlice = 1024;  // columns that float32_products multiplies at once

bool nearer(const Neighbour& a, const Neighbour& b) {
  return a.similarity != b.similarity ? a.similarity > b.similarity : a.row < b.row;
}

// Eight partial sums, then their sum: the order is the same for every compiler and processor.
double inner_product(const float* a, const float* b, int64_t width) {
  constexpr int64_t kLanes = 8;
  std::array<double, kLanes> sums{};
  int64_t i = 0;
  for (; i + kLanes <= width; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      sums[static_cast<size_t>(lane)] +=
          static_cast<double>(a[i + lane]) * static_cast<double>(b[i + lane]);
    }
  }
  double sum = 0;
  for (const double part : sums) sum += part;
  for (; i < width; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

// Rows scaled to length 1; zero rows stay zero. float32.
at::Tensor unit_rows(const at::Tensor& features_ND) {
  const at::Tensor features = features_ND.to(at::kFloat).contiguous();
  at::Tensor unit = at::empty_like(features);
  const int64_t width = features.size(1);
  const float* from = features.const_data_ptr<float>();
  float* to = unit.mutable_data_ptr<float>();
  at::parallel_for(0, features.size(0), 64, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* const values = from + row * width;
      // In float64, because squares of large features overflow in float32.
      const double length = std::sqrt(inner_product(values, values, width));
      const double factor = length > 0 ? 1 / length : 0;
      for (int64_t i = 0; i < width; ++i) {
        to[row * width + i] = static_cast<float>(static_cast<double>(values[i]) * factor);
      }
    }
  });
  return unit;
}

// Error bound of float32_products. The error of a sum of n terms, in any order, is at most
// n u / (1 - n u) times the sum of the terms' magnitudes, where u is half a unit in the last
// place. The sum of magnitudes is at most 1 here, except for the rounding of the unit vectors. n is
// the width of a slice plus the number of slices.
double error_bound(int64_t width) {
  constexpr double kUnit = std::numeric_limits<float>::epsilon() / 2.0;
  const auto terms =
      static_cast<double>(std::min(width, kSlice) + (width + kSlice - 1) / kSlice + 2);
  return 1.01 * terms * kUnit;
}

// queries @ bank^T in float32: [M, N]. Multiplies slices of kSlice columns, so that the sums stay
// short and the error bound small. A bound for the full width of flattened tokens would be so large
// that every row would be a candidate.
at::Tensor float32_products(const at::Tensor& queries_MD, const at::Tensor& bank_ND) {
  at::Tensor products_MN;
  for (int64_t first = 0; first < queries_MD.size(1); first += kSlice) {
    const int64_t width = std::min(kSlice, queries_MD.size(1) - first);
    const at::Tensor part =
        at::mm(queries_MD.narrow(1, first, width), bank_ND.narrow(1, first, width).t());
    products_MN = products_MN.defined() ? products_MN.add_(part) : part;
  }
  return products_MN.contiguous();
}

// A block of the bank, its rows scaled to length 1.
struct Block {
  const float* unit_ND;
  const int64_t* labels_N;
  int64_t count, width, first_row;
};

// Updates the heap of one query with a block. `products`: the query's products with every row of
// the block, each with an error of at most `error`.
void update_heap(const Block& block, const float* query, const float* products, double error,
                 size_t k, std::vector<Neighbour>& heap) {
  const auto least = [&] {  // a row with a smaller product is not among the k nearest
    if (heap.size() < k) return -std::numeric_limits<float>::infinity();
    return std::nextafter(static_cast<float>(heap.front().similarity - error),
                          -std::numeric_limits<float>::infinity());
  };
  float threshold = least();
  for (int64_t row = 0; row < block.count; ++row) {
    if (products[row] < threshold) continue;
    const double similarity = inner_product(query, block.unit_ND + row * block.width, block.width);
    if (heap.size() == k) {
      // Rows arrive in ascending order, so a row as similar as the front comes after it.
      if (similarity <= heap.front().similarity) continue;
      std::pop_heap(heap.begin(), heap.end(), nearer);
      heap.pop_back();
    }
    heap.push_back({similarity, block.first_row + row, block.labels_N[row]});
    std::push_heap(heap.begin(), heap.end(), nearer);
    threshold = least();
  }
}

}  // namespace

NeighbourSearch::NeighbourSearch(const at::Tensor& queries_MD, int64_t k)
    : unit_queries_MD_(unit_rows(queries_MD)),
      k_(static_cast<size_t>(k)),
      nearest_(static_cast<size_t>(queries_MD.size(0))) {
  require(k >= 1, "NeighbourSearch: expected k of at least 1, got {}", k);
}

void NeighbourSearch::add(const at::Tensor& bank_ND, const at::Tensor& labels_N) {
  const at::NoGradGuard no_grad;
  const int64_t width = unit_queries_MD_.size(1), queries = unit_queries_MD_.size(0);
  require(bank_ND.size(1) == width,
          "NeighbourSearch: expected bank and queries of one width, got {} and {}", bank_ND.size(1),
          width);
  require(!sorted_ && labels_N.size(0) == bank_ND.size(0),
          "NeighbourSearch: got {} labels for {} rows added {} the first call of nearest(); "
          "expected one label per row, added before it",
          labels_N.size(0), bank_ND.size(0), sorted_ ? "after" : "before");
  const double error = error_bound(width);
  const at::Tensor labels = labels_N.contiguous();
  const auto row_bytes = static_cast<int64_t>(sizeof(float)) * width;
  const int64_t most_rows = std::clamp<int64_t>(kBlockBytes / row_bytes, 64, kBankBlock);
  const float* const unit_queries = unit_queries_MD_.const_data_ptr<float>();
  for (int64_t first_row = 0; first_row < bank_ND.size(0); first_row += most_rows) {
    const int64_t bank_rows = std::min(most_rows, bank_ND.size(0) - first_row);
    const at::Tensor unit_ND = unit_rows(bank_ND.narrow(0, first_row, bank_rows));
    const Block block{unit_ND.const_data_ptr<float>(), labels.const_data_ptr<int64_t>() + first_row,
                      bank_rows, width, rows_ + first_row};
    for (int64_t first = 0; first < queries; first += kQueryBlock) {
      const int64_t query_rows = std::min(kQueryBlock, queries - first);
      const at::Tensor products =
          float32_products(unit_queries_MD_.narrow(0, first, query_rows), unit_ND);
      const float* const values = products.const_data_ptr<float>();
      at::parallel_for(0, query_rows, 16, [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
          update_heap(block, unit_queries + (first + row) * width, values + row * bank_rows, error,
                      k_, nearest_[static_cast<size_t>(first + row)]);
        }
      });
    }
  }
  rows_ += bank_ND.size(0);
}

const std::vector<std::vector<Neighbour>>& NeighbourSearch::nearest() {
  if (!sorted_) {
    for (std::vector<Neighbour>& heap : nearest_) std::sort(heap.begin(), heap.end(), nearer);
  }
  sorted_ = true;
  return nearest_;
}

std::vector<std::vector<Neighbour>> nearest_of_ranks(
    dist::Group& group, const std::vector<std::vector<Neighbour>>& mine, int64_t bank, int64_t k) {
  if (group.size() == 1) return mine;
  constexpr int64_t kValues = 3;  // similarity, row, label: integers below 2^53 are exact
  const auto queries = std::ssize(mine);
  const at::Tensor packed_MK3 = at::full({queries, k, kValues}, -1, at::kDouble);  // row -1: none
  auto* next = packed_MK3.mutable_data_ptr<double>();
  for (const std::vector<Neighbour>& of_query : mine) {
    for (size_t i = 0; i < of_query.size(); ++i) {
      next[i * kValues] = of_query[i].similarity;
      next[i * kValues + 1] = static_cast<double>(of_query[i].row);
      next[i * kValues + 2] = static_cast<double>(of_query[i].label);
    }
    next += k * kValues;
  }
  const std::vector<at::Tensor> banks = group.gather(at::full({1}, bank, at::kLong));
  const std::vector<at::Tensor> all = group.gather(packed_MK3);
  std::vector<std::vector<Neighbour>> merged(mine.size());
  int64_t before = 0;  // rows in the banks of earlier ranks
  for (size_t rank = 0; rank < all.size(); ++rank) {
    const auto* value = all[rank].const_data_ptr<double>();
    for (std::vector<Neighbour>& of_query : merged) {
      for (int64_t i = 0; i < k; ++i, value += kValues) {
        if (value[1] < 0) continue;
        of_query.push_back(
            {value[0], static_cast<int64_t>(value[1]) + before, static_cast<int64_t>(value[2])});
      }
    }
    before += banks[rank].item<int64_t>();
  }
  for (std::vector<Neighbour>& of_query : merged) {
    std::sort(of_query.begin(), of_query.end(), nearer);
    of_query.resize(std::min(of_query.size(), static_cast<size_t>(k)));
  }
  return merged;
}

KnnResult vote(const std::vector<std::vector<Neighbour>>& nearest, const at::Tensor& query_labels_M,
               int64_t classes, double temperature) {
  const at::NoGradGuard no_grad;
  require(temperature > 0, "vote: expected a temperature above 0, got {}", temperature);
  AccuracyCount count(/*floor=*/0.0);
  const auto queries = static_cast<int64_t>(nearest.size());
  for (int64_t first = 0; first < queries; first += kQueryBlock) {
    const int64_t query_rows = std::min(kQueryBlock, queries - first);
    at::Tensor votes_MC = at::zeros({query_rows, classes}, at::kDouble);
    for (int64_t row = 0; row < query_rows; ++row) {
      const std::vector<Neighbour>& neighbours = nearest[static_cast<size_t>(first + row)];
      double* const votes_C = votes_MC.mutable_data_ptr<double>() + row * classes;
      for (const Neighbour& neighbour : neighbours) {
        // Scaled so that the nearest neighbour's vote is 1. This does not change which class wins,
        // and not all votes can underflow to 0.
        const double behind = neighbour.similarity - neighbours.front().similarity;
        votes_C[neighbour.label] += std::exp(behind / temperature);
      }
    }
    count.add(votes_MC, query_labels_M.narrow(0, first, query_rows));
  }
  return count.percent();
}

KnnResult knn(const at::Tensor& bank_ND, const at::Tensor& bank_labels_N,
              const at::Tensor& queries_MD, const at::Tensor& query_labels_M, int64_t classes,
              const KnnOptions& options) {
  check_features(bank_ND, bank_labels_N, classes, "training");
  check_features(queries_MD, query_labels_M, classes, "query");
  NeighbourSearch search(queries_MD, options.k);
  search.add(bank_ND, bank_labels_N);
  return vote(search.nearest(), query_labels_M, classes, options.temperature);
}

}  // namespace fcm::eval
