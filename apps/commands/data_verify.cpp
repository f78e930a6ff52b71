#include "apps/commands/commands.h"
#include "apps/commands/data_result.h"
#include "apps/shared_flags.h"

namespace fcm::apps::commands {

Action data_verify(Flags& flags) {
  struct Arguments {
    std::string data;
    tasks::MachineOptions machine;
  };
  const auto arguments = std::make_shared<Arguments>();
  flags.describe("Decode every image; exit status 3 if an image or a label is bad",
                 "Example:\n  fastconvmae data verify fashion-mnist");
  add_data(flags, arguments->data, "data,--data").required();
  add_threads(flags, arguments->machine);
  return [arguments](const Output& output) {
    return print_data_result(
        tasks::verify_data(arguments->data, arguments->machine, output.reporter), output);
  };
}

}  // namespace fcm::apps::commands
