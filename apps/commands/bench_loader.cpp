#include "apps/commands/commands.h"
#include "apps/shared_flags.h"
#include "bench/bench.h"

namespace fcm::apps::commands {

Action bench_loader(Flags& flags) {
  struct Arguments {
    std::string data;
    double seconds = 10;
    tasks::Machine machine;
  };
  const auto arguments = std::make_shared<Arguments>();
  flags.describe("Pictures a second, beside plain decoding of the same files",
                 "Example:\n  fastconvmae bench loader --data /path/to/imagenet --threads 1");
  add_data(flags, arguments->data).required();
  flags.add("--seconds", arguments->seconds, {0.01, 1e6}, "How long to measure");
  add_threads(flags, arguments->machine);
  return [arguments](const Output& output) {
    return output.print(bench::bench_loader(arguments->data, arguments->seconds, arguments->machine,
                                            output.reporter));
  };
}

}  // namespace fcm::apps::commands
