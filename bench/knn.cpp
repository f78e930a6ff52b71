// Speed of kNN on random features.
#include "fcm/eval/knn.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <fmt/format.h>

#include <vector>

#include "bench/step_timing.h"
#include "fcm/base/stats.h"
#include "fcm/base/stopwatch.h"
#include "fcm/ops/peak/peak.h"
#include "fcm/tasks/machine.h"
#include "fcm/train/meters.h"

namespace fcm::bench {

nlohmann::json bench_knn(const BenchKnnRequest& request, Reporter& reporter) {
  constexpr int64_t kClasses = 1000;
  const int64_t threads = tasks::set_up_machine(request.machine);
  reporter.info("bench knn: nothing else should run on this machine now");
  at::Generator generator = at::detail::createCPUGenerator(1);
  // Each class is a cluster around a centre, so that queries have clear neighbours, as with real
  // features.
  const at::Tensor centers_CD = at::randn({kClasses, request.width}, generator);
  const auto features = [&](const at::Tensor& labels_N) {
    return centers_CD.index_select(0, labels_N)
        .add_(at::randn({labels_N.size(0), request.width}, generator));
  };
  const at::Tensor bank_labels = at::arange(request.bank).remainder(kClasses);
  const at::Tensor query_labels = at::arange(request.queries).remainder(kClasses);
  const at::Tensor bank = features(bank_labels), queries = features(query_labels);
  const double peak = ops::peak_flops(at::kFloat);

  std::vector<double> times;
  eval::KnnResult result;
  for (int64_t round = 0; round < request.rounds; ++round) {
    const Stopwatch watch;
    result = eval::knn(bank, bank_labels, queries, query_labels, kClasses, {.k = request.k});
    times.push_back(watch.seconds());
  }
  const Spread seconds = spread_of(times);
  const double flops = 2.0 * static_cast<double>(request.bank) *
                       static_cast<double>(request.queries) * static_cast<double>(request.width);
  return {{"seconds", to_json(seconds)},
          {"bank", request.bank},
          {"queries", request.queries},
          {"width", request.width},
          {"k", request.k},
          {"threads", threads},
          {"gflops", flops / seconds.median * 1e-9},
          {"peak_share", flops / seconds.median / peak},
          {"peak_memory_bytes", train::peak_memory_bytes()},
          {"top1", result.top1}};
}

}  // namespace fcm::bench
