#include <nlohmann/json.hpp>

#include "apps/commands/commands.h"
#include "fcm/tasks/tasks.h"

namespace fcm::apps::commands {

Action report(Flags& flags) {
  const auto run_dir = std::make_shared<std::filesystem::path>();
  flags.describe("Write RUN_DIR/report.html", "Example:\n  fastconvmae report runs/demo");
  flags.add("run_dir", *run_dir, "DIR", "A run folder").required();
  return [run_dir](const Output& output) {
    tasks::report(*run_dir, output.reporter);
    return output.print({{"report", (*run_dir / "report.html").string()}});
  };
}

}  // namespace fcm::apps::commands
