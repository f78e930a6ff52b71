#include "apps/commands/commands.h"
#include "apps/shared_flags.h"

namespace fcm::apps::commands {

Action checkpoint_verify(Flags& flags) {
  struct Arguments {
    std::filesystem::path checkpoint;
    int64_t threads = 0;
  };
  const auto arguments = std::make_shared<Arguments>();
  flags.describe("Check hashes and every rule of the format; exit status 4 if one fails",
                 "Example:\n  fastconvmae checkpoint verify runs/base");
  add_checkpoint(flags, arguments->checkpoint, "checkpoint,--checkpoint").required();
  add_reading_threads(flags, arguments->threads);
  return [arguments](const Output& output) {
    return output.print(
        tasks::verify_checkpoint(arguments->checkpoint, output.reporter, arguments->threads));
  };
}

}  // namespace fcm::apps::commands
