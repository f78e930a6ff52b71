// Speed of the nearest neighbours, on features without meaning.
#include "fcm/eval/knn.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "bench/bench.h"
#include "fcm/tasks/machine.h"
#include "fcm/train/meters.h"

namespace fcm::bench {

nlohmann::json bench_knn(const BenchKnnRequest& request, Reporter& reporter) {
  constexpr int64_t kClasses = 1000;
  const int64_t threads = tasks::set_up_machine(request.machine);
  reporter.info("bench knn: nothing else should run on this machine now");
  at::Generator generator = at::detail::createCPUGenerator(1);
  // Clouds around a centre a class, as features have them: neighbours that stand out.
  const at::Tensor centers_CD = at::randn({kClasses, request.width}, generator);
  const auto features = [&](const at::Tensor& labels_N) {
    return centers_CD.index_select(0, labels_N)
        .add_(at::randn({labels_N.size(0), request.width}, generator));
  };
  const at::Tensor bank_labels = at::arange(request.bank).remainder(kClasses);
  const at::Tensor query_labels = at::arange(request.queries).remainder(kClasses);
  const at::Tensor bank = features(bank_labels), queries = features(query_labels);
  const double peak = train::measure_peak_flops(at::kFloat);

  std::vector<double> seconds;
  eval::KnnResult result;
  for (int64_t round = 0; round < request.rounds; ++round) {
    const train::Stopwatch watch;
    result = eval::knn(bank, bank_labels, queries, query_labels, kClasses, {.k = request.k});
    seconds.push_back(watch.seconds());
  }
  std::sort(seconds.begin(), seconds.end());
  const double median = seconds[seconds.size() / 2];
  const double flops = 2.0 * static_cast<double>(request.bank) *
                       static_cast<double>(request.queries) * static_cast<double>(request.width);
  return {{"seconds", {{"min", seconds.front()}, {"median", median}, {"max", seconds.back()}}},
          {"bank", request.bank},
          {"queries", request.queries},
          {"width", request.width},
          {"k", request.k},
          {"threads", threads},
          {"gflops", flops / median * 1e-9},
          {"peak_share", flops / median / peak},
          {"peak_memory_bytes", train::peak_memory_bytes()},
          {"top1", result.top1}};
}

}  // namespace fcm::bench
