#include "fcm/heads/knn.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "fcm/base/error.h"

namespace fcm::heads {
namespace {

constexpr int64_t kBankBlock = 8192;
constexpr int64_t kQueryBlock = 1024;

struct Neighbour {
  float similarity;
  int64_t place;  // in the bank
};

bool nearer(const Neighbour& a, const Neighbour& b) {
  return a.similarity != b.similarity ? a.similarity > b.similarity : a.place < b.place;
}

// The k nearest seen so far, as a heap whose front is the farthest of them.
class Nearest {
 public:
  explicit Nearest(int64_t k) : k_(static_cast<size_t>(k)) { heap_.reserve(k_); }

  // Places arrive in ascending order, so one as similar as the front is never nearer than it.
  void offer(const float* similarities, int64_t count, int64_t first_place) {
    for (int64_t i = 0; i < count; ++i) {
      if (heap_.size() == k_) {
        if (similarities[i] <= heap_.front().similarity) continue;
        std::pop_heap(heap_.begin(), heap_.end(), nearer);
        heap_.pop_back();
      }
      heap_.push_back({similarities[i], first_place + i});
      std::push_heap(heap_.begin(), heap_.end(), nearer);
    }
  }

  // Nearest first, so that sums of votes have one order.
  const std::vector<Neighbour>& sorted() {
    std::sort(heap_.begin(), heap_.end(), nearer);
    return heap_;
  }

 private:
  size_t k_;
  std::vector<Neighbour> heap_;
};

at::Tensor normalised(const at::Tensor& features_ND) {
  const at::Tensor features = features_ND.to(at::kFloat);
  // In float64: squares of large float32 features overflow.
  const at::Tensor length_N1 = features.norm(2, {1}, /*keepdim=*/true, at::kDouble);
  return features / at::where(length_N1 > 0, length_N1, 1.0).to(at::kFloat);
}

std::vector<Nearest> nearest_of_all(const at::Tensor& bank_ND, const at::Tensor& queries_MD,
                                    int64_t k) {
  const int64_t bank = bank_ND.size(0), queries = queries_MD.size(0);
  const at::Tensor unit_queries_MD = normalised(queries_MD);
  std::vector<Nearest> nearest(static_cast<size_t>(queries), Nearest(k));
  for (int64_t place = 0; place < bank; place += kBankBlock) {
    const int64_t known = std::min(kBankBlock, bank - place);
    const at::Tensor columns_DN = normalised(bank_ND.narrow(0, place, known)).t();
    for (int64_t first = 0; first < queries; first += kQueryBlock) {
      const int64_t asked = std::min(kQueryBlock, queries - first);
      const at::Tensor similarities =
          at::mm(unit_queries_MD.narrow(0, first, asked), columns_DN).contiguous();
      const float* values = similarities.const_data_ptr<float>();
      at::parallel_for(0, asked, 16, [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
          nearest[static_cast<size_t>(first + row)].offer(values + row * known, known, place);
        }
      });
    }
  }
  return nearest;
}

void vote(Nearest& nearest, const int64_t* labels, double temperature, double* votes_C) {
  const std::vector<Neighbour>& neighbours = nearest.sorted();
  for (const Neighbour& neighbour : neighbours) {
    // Relative to the nearest, whose vote is 1: the same ranks at any temperature.
    const double behind = static_cast<double>(neighbour.similarity) - neighbours.front().similarity;
    votes_C[labels[neighbour.place]] += std::exp(behind / temperature);
  }
}

}  // namespace

KnnResult knn(const at::Tensor& bank_ND, const at::Tensor& bank_labels_N,
              const at::Tensor& queries_MD, const at::Tensor& query_labels_M, int64_t classes,
              const KnnOptions& options) {
  const at::NoGradGuard no_grad;
  require(options.k >= 1 && options.temperature > 0, "k = {}, temperature = {}", options.k,
          options.temperature);
  check_features(bank_ND, bank_labels_N, classes, "training");
  check_features(queries_MD, query_labels_M, classes, "query");
  require(bank_ND.size(1) == queries_MD.size(1), "features of widths {} and {}", bank_ND.size(1),
          queries_MD.size(1));
  std::vector<Nearest> nearest =
      nearest_of_all(bank_ND, queries_MD, std::min(options.k, bank_ND.size(0)));

  const at::Tensor labels_N = bank_labels_N.contiguous();
  AccuracyCount count(/*floor=*/0.0);
  for (int64_t first = 0; first < queries_MD.size(0); first += kQueryBlock) {
    const int64_t asked = std::min(kQueryBlock, queries_MD.size(0) - first);
    at::Tensor votes_MC = at::zeros({asked, classes}, at::kDouble);
    for (int64_t row = 0; row < asked; ++row) {
      vote(nearest[static_cast<size_t>(first + row)], labels_N.const_data_ptr<int64_t>(),
           options.temperature, votes_MC.mutable_data_ptr<double>() + row * classes);
    }
    count.add(votes_MC, query_labels_M.narrow(0, first, asked));
  }
  return count.percent();
}

}  // namespace fcm::heads
