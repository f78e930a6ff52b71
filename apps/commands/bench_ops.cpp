#include "apps/commands/commands.h"
#include "apps/shared_flags.h"
#include "bench/bench.h"

namespace fcm::apps::commands {

Action bench_ops(Flags& flags) {
  struct Arguments {
    std::string filter;
    tasks::MachineOptions machine;
  };
  const auto arguments = std::make_shared<Arguments>();
  flags.describe("Speed of single operators, compared with their references",
                 "Example:\n  fastconvmae bench ops --filter patch_depthwise_conv");
  flags.add("--filter", arguments->filter, "TEXT",
            "Only operators and cases whose name contains this text");
  add_machine(flags, arguments->machine);
  return [arguments](const Output& output) {
    return output.print(bench::bench_ops(arguments->filter, arguments->machine, output.reporter));
  };
}

}  // namespace fcm::apps::commands
