#include "fcm/optim/norm.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace fcm::optim {
namespace {

template <typename T>
double sum_of_squares(const T* values, int64_t count) {
  double sum[8] = {};
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    for (int64_t lane = 0; lane < 8; ++lane) {
      const auto value = static_cast<double>(values[i + lane]);
      sum[lane] += value * value;
    }
  }
  for (; i < count; ++i) sum[0] += static_cast<double>(values[i]) * static_cast<double>(values[i]);
  return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

constexpr int64_t kPiece = 1 << 15;  // elements per task

}  // namespace

double euclidean_norm(const at::Tensor& values) {
  const int64_t count = values.numel();
  // Partial sums of fixed pieces, added in order: the same bits for any number of threads.
  std::vector<double> partial(static_cast<size_t>((count + kPiece - 1) / kPiece));
  AT_DISPATCH_FLOATING_TYPES(values.scalar_type(), "euclidean_norm", [&] {
    const auto* data = values.const_data_ptr<scalar_t>();
    at::parallel_for(0, static_cast<int64_t>(partial.size()), 1, [&](int64_t begin, int64_t end) {
      for (int64_t piece = begin; piece < end; ++piece) {
        const int64_t from = piece * kPiece;
        partial[static_cast<size_t>(piece)] =
            sum_of_squares(data + from, std::min(kPiece, count - from));
      }
    });
  });
  double sum = 0;
  for (const double piece : partial) sum += piece;
  return std::sqrt(sum);
}

}  // namespace fcm::optim
