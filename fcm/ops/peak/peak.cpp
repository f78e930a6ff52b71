#include "fcm/ops/peak/peak.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

#include "fcm/base/error.h"
#include "fcm/base/stopwatch.h"
#include "fcm/ops/peak/kernel.h"
#include "fcm/ops/simd/dispatch.h"

namespace fcm::ops {
namespace {

double seconds_of_rounds(const PeakKernel& kernel, int64_t threads, int64_t rounds) {
  const Stopwatch watch;
  at::parallel_for(0, threads, 1, [&](int64_t first, int64_t last) {
    for (int64_t thread = first; thread < last; ++thread) {
      const double end = kernel.multiply_adds(rounds);
      require(std::abs(end - 1) < 1e-3,
              "peak: expected a chain of multiply-adds to end at 1, got {}", end);
    }
  });
  return watch.seconds();
}

}  // namespace

double measure_fma_flops(Isa isa) {
  const PeakKernel& kernel = pick(isa, peak_plain, peak_avx2, peak_avx512);
  const int64_t threads = at::get_num_threads();
  constexpr int64_t kGuessRounds = 1 << 20;
  constexpr double kSeconds = 0.04;  // long enough for the clock to settle
  seconds_of_rounds(kernel, threads, kGuessRounds);
  const double guess = seconds_of_rounds(kernel, threads, kGuessRounds);
  const int64_t rounds = static_cast<int64_t>(kGuessRounds * std::max(1.0, kSeconds / guess));
  double best = 0;
  for (int repeat = 0; repeat < 5; ++repeat) {
    const auto flops = static_cast<double>(kernel.flops_per_round * rounds * threads);
    best = std::max(best, flops / seconds_of_rounds(kernel, threads, rounds));
  }
  return best;
}

}  // namespace fcm::ops
