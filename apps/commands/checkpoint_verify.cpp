#include "apps/commands/commands.h"
#include "apps/shared_flags.h"

namespace fcm::apps::commands {

Action checkpoint_verify(Flags& flags) {
  const auto path = std::make_shared<std::filesystem::path>();
  flags.describe("Check hashes and every rule of the format; exit status 4 if one does not hold",
                 "Example:\n  fastconvmae checkpoint verify runs/base");
  add_checkpoint(flags, *path, "checkpoint,--checkpoint").required();
  return [path](const Output& output) { return output.print(tasks::verify_checkpoint(*path)); };
}

}  // namespace fcm::apps::commands
