// Speed of single operators, from their tables of cases.
#include "fcm/ops/bench.h"
#include "fcm/tasks/machine.h"
#include "fcm/tasks/tasks.h"

namespace fcm::tasks {

nlohmann::json bench_ops(const std::string& filter, Machine machine, Reporter& reporter) {
  constexpr double kSecondsPerCase = 0.5;
  set_up_machine(machine);
  reporter.info("bench ops: nothing else should run on this machine now");
  nlohmann::json list = nlohmann::json::array();
  for (const ops::OpTiming& timing : ops::time_ops(filter, kSecondsPerCase)) {
    list.push_back({{"op", timing.op},
                    {"case", timing.case_name},
                    {"pass", timing.pass},
                    {"device", "cpu"},
                    {"dtype", timing.dtype},
                    {"microseconds", timing.microseconds},
                    {"gbytes_per_second", timing.gbytes_per_second},
                    {"gflops", timing.gflops},
                    {"reference_ratio", timing.reference_ratio}});
  }
  return list;
}

}  // namespace fcm::tasks
