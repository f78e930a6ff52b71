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
      "The processes share the work of commands that train or measure; other commands run in one process.\n"
      "Signals are forwarded. If a process fails, the others are ended and launch exits with its status.\n"
      "Example:\n  fastconvmae launch --processes 2 pretrain --recipe smoke_pretrain --data "
      "synthetic --out runs/smoke");
  flags.add("--processes", request->processes, {1, 1024}, "Number of processes").required();
  flags.take_rest(request->command, "COMMAND ...");
  return [request](const Output& output) {
    if (request->command.empty()) {
      fail(ExitCode::kUsage,
           "launch needs a command to run: launch --processes {} pretrain --recipe ...",
           request->processes);
    }
    const CommandLine line = parse_command_line(request->command);  // so that launch reports an
                                                                    // error, and not every rank
    if (print_help_or_version(line)) return 0;
    if (line.command == "launch") fail(ExitCode::kUsage, "launch cannot launch itself");
    // Flags before the command apply to the command.
    if (output.json && !line.json) request->command.emplace_back("--json");
    if (output.quiet && !line.quiet) request->command.emplace_back("--quiet");
    if (!line.in_group) request->processes = 1;
    keep_libtorch_quiet();
    request->program = std::filesystem::read_symlink("/proc/self/exe");
    return dist::launch(*request, output.reporter);
  };
}

}  // namespace fcm::apps::commands
