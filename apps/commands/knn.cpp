#include "apps/commands/commands.h"
#include "apps/shared_flags.h"

namespace fcm::apps::commands {

Action knn(Flags& flags) {
  struct Arguments {
    std::string data;
    tasks::CheckpointRequest checkpoint;
    int64_t k = 20;
    tasks::MachineOptions machine;
  };
  const auto arguments = std::make_shared<Arguments>();
  flags.describe("kNN accuracy of frozen features",
                 "Example:\n  fastconvmae knn --data fashion-mnist --checkpoint runs/demo");
  add_data(flags, arguments->data).required();
  add_weights(flags, arguments->checkpoint);
  flags.add("--k", arguments->k, {1, kMany}, "Neighbours that vote");
  add_machine(flags, arguments->machine);
  return [arguments](const Output& output) {
    arguments->machine.group = output.group;
    return output.print(tasks::knn(arguments->data, arguments->checkpoint, arguments->k,
                                   arguments->machine, output.reporter));
  };
}

}  // namespace fcm::apps::commands
