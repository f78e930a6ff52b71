#include "apps/commands/commands.h"
#include "apps/shared_flags.h"
#include "bench/bench.h"

namespace fcm::apps::commands {

Action bench_peak(Flags& flags) {
  const auto machine = std::make_shared<tasks::MachineOptions>();
  flags.describe(
      "Peak speed of this processor, and matrix products compared with those of libraries",
      "Example:\n  fastconvmae bench peak --threads 1");
  add_threads(flags, *machine);
  return [machine](const Output& output) {
    return output.print(bench::bench_peak(*machine, output.reporter));
  };
}

}  // namespace fcm::apps::commands
