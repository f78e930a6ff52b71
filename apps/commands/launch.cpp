#include "fcm/dist/launch.h"

#include <filesystem>

#include "apps/command_line.h"
#include "apps/commands/commands.h"
#include "apps/ranks.h"
#include "fcm/base/error.h"

namespace fcm::apps::commands {

Action launch(Flags& flags) {
  const auto request = std::make_shared<dist::LaunchRequest>();
  flags.describe(
      "Run a command as several processes on this machine",
      "They share the work of commands that train or measure; others run once. Signals are handed "
      "on.\n"
      "When one process ends with an error, the others are ended and its exit status is this "
      "one's.\n"
      "Example:\n  fastconvmae launch --processes 2 pretrain --recipe smoke_pretrain --data "
      "synthetic --out runs/smoke");
  flags.add("--processes", request->processes, {1, 1024}, "How many").required();
  flags.take_rest(request->command, "COMMAND ...");
  return [request](const Output& output) {
    if (request->command.empty()) {
      fail(ExitCode::kUsage,
           "launch wants a command to run: launch --processes {} pretrain --recipe ...",
           request->processes);
    }
    const CommandLine line = parse_command_line(request->command);  // said once if it is wrong
    if (print_what_is_asked(line)) return 0;
    if (line.command == "launch") fail(ExitCode::kUsage, "launch cannot launch itself");
    // Given before the command they are the command's.
    if (output.json && !line.json) request->command.emplace_back("--json");
    if (output.quiet && !line.quiet) request->command.emplace_back("--quiet");
    if (!line.in_group) request->processes = 1;  // that does it
    keep_libtorch_quiet();
    request->program = std::filesystem::read_symlink("/proc/self/exe");
    return dist::launch(*request, output.reporter);
  };
}

}  // namespace fcm::apps::commands
