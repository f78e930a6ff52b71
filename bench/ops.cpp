// Speed of single operators, from their tables of cases.
#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include <algorithm>

#include "bench/bench.h"
#include "fcm/ops/bench.h"
#include "fcm/ops/peak/peak.h"
#include "fcm/tasks/machine.h"

namespace fcm::bench {
namespace {

// The machine's peaks, measured in the same run as the operators.
struct Peaks {
  double float32_gflops = 0, bfloat16_gflops = 0, gbytes_per_second = 0;
};

Peaks measure_peaks(at::Device device, Reporter& reporter) {
  const Peaks peaks{ops::peak_flops(at::kFloat, device) * 1e-9,
                    ops::peak_flops(at::kBFloat16, device) * 1e-9,
                    ops::peak_bytes_per_second(device) * 1e-9};
  reporter.info(fmt::format("peaks: float32 {:.0f} GFLOP/s, bfloat16 {:.0f}; memory {:.1f} GB/s",
                            peaks.float32_gflops, peaks.bfloat16_gflops, peaks.gbytes_per_second));
  return peaks;
}

// The share of the limiting peak. It can exceed 1 if the data stays in caches.
double peak_share(const ops::OpTiming& timing, const Peaks& peaks) {
  const double gflops = timing.dtype == "bfloat16" ? peaks.bfloat16_gflops : peaks.float32_gflops;
  return std::max(timing.gflops / gflops, timing.gbytes_per_second / peaks.gbytes_per_second);
}

}  // namespace

nlohmann::json bench_ops(const std::string& filter, tasks::MachineOptions machine,
                         Reporter& reporter) {
  constexpr double kSecondsPerCase = 0.5;
  tasks::set_up_machine(machine);
  const at::Device device = tasks::device_of(machine);
  reporter.info("bench ops: nothing else should run on this machine now");
  const Peaks peaks = measure_peaks(device, reporter);
  nlohmann::json list = nlohmann::json::array();
  for (const ops::OpTiming& timing : ops::time_ops(filter, kSecondsPerCase, device)) {
    list.push_back({{"op", timing.op},
                    {"case", timing.case_name},
                    {"pass", timing.pass},
                    {"device", device.str()},
                    {"dtype", timing.dtype},
                    {"microseconds", timing.microseconds},
                    {"microseconds_least", timing.least_microseconds},
                    {"microseconds_most", timing.most_microseconds},
                    {"gbytes_per_second", timing.gbytes_per_second},
                    {"gflops", timing.gflops},
                    {"peak_share", peak_share(timing, peaks)},
                    {"reference_ratio", timing.reference_ratio}});
    if (timing.library_ratio) list.back()["library_ratio"] = *timing.library_ratio;
  }
  return list;
}

}  // namespace fcm::bench
