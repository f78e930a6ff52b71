#include <nlohmann/json.hpp>

#include "apps/commands/commands.h"
#include "apps/shared_flags.h"
#include "fcm/tasks/tasks.h"

namespace fcm::apps::commands {

Action report(Flags& flags) {
  struct Arguments {
    std::vector<std::string> runs;
    std::filesystem::path out;
    bool overwrite = false;
  };
  const auto arguments = std::make_shared<Arguments>();
  flags.describe("Write an HTML page about a run, or one that compares several runs",
                 "Without --out, the page is RUN/report.html for one run, and report.html in the "
                 "current folder for several.\nExamples:\n"
                 "  fastconvmae report runs/demo\n"
                 "  fastconvmae report runs/small runs/large --out compared.html");
  flags.add_words("runs", arguments->runs, "DIR", "Run folders").required();
  flags.add("--out", arguments->out, "FILE", "The HTML file");
  add_overwrite(flags, arguments->overwrite, "Replace an earlier page at --out");
  return [arguments](const Output& output) {
    const auto page = tasks::report({.runs = {arguments->runs.begin(), arguments->runs.end()},
                                     .out = arguments->out,
                                     .overwrite = arguments->overwrite},
                                    output.reporter);
    return output.print({{"report", page.string()}});
  };
}

}  // namespace fcm::apps::commands
