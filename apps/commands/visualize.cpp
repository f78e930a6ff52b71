#include <nlohmann/json.hpp>

#include "apps/commands/commands.h"
#include "apps/shared_flags.h"

namespace fcm::apps::commands {

Action visualize(Flags& flags) {
  struct Arguments {
    tasks::CheckpointRequest checkpoint;
    tasks::TeacherFiles teachers;
    std::vector<std::string> images;
    std::filesystem::path out;
    int64_t seed = 0;
    bool overwrite = false;
    tasks::Machine machine;
  };
  const auto arguments = std::make_shared<Arguments>();
  flags.describe(
      "A sheet of masked and reconstructed pictures",
      "Example:\n  fastconvmae visualize --checkpoint runs/demo --images a.png b.jpg --out "
      "sheet.png");
  add_weights(flags, arguments->checkpoint);
  add_teachers(flags, arguments->teachers);
  flags.add_words("--images", arguments->images, "FILE", "Pictures (JPEG, PNG or WebP)").required();
  flags.add("--out", arguments->out, "FILE", "The sheet, a PNG file").required();
  flags.add("--seed", arguments->seed, {0, 9'000'000'000'000'000}, "Chooses the views");
  add_overwrite(flags, arguments->overwrite, "Replace a PNG at --out");
  add_machine(flags, arguments->machine);
  return [arguments](const Output& output) {
    tasks::visualize(arguments->checkpoint, arguments->images, arguments->teachers, arguments->out,
                     static_cast<uint64_t>(arguments->seed), arguments->machine, output.reporter,
                     arguments->overwrite);
    return output.print({{"out", arguments->out.string()}});
  };
}

}  // namespace fcm::apps::commands
