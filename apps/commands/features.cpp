#include "apps/commands/commands.h"
#include "apps/shared_flags.h"

namespace fcm::apps::commands {

Action features(Flags& flags) {
  const auto request = std::make_shared<tasks::FeaturesRequest>();
  flags.describe(
      "Write frozen features to a file",
      "F.pictures.tsv has the class and the image of every row. Unreadable images are left "
      "out.\n"
      "Example:\n  fastconvmae features --data fashion-mnist --checkpoint runs/demo --out f.npy");
  add_data(flags, request->data).required();
  add_weights(flags, request->checkpoint);
  flags.add("--out", request->out, "FILE", "F.npy (labels go to F.labels.npy) or F.safetensors")
      .required();
  flags.add_choice(
      "--tokens", request->tokens, {"mean", "flat", "class"},
      "mean: mean of all tokens; flat: all tokens, concatenated; class: a ViT's class token");
  flags.add_choice("--split", request->split, {"train", "val"}, "The split to read");
  add_overwrite(flags, request->overwrite, "Replace the files at --out");
  add_machine(flags, request->machine);
  return [request](const Output& output) {
    request->machine.group = output.group;
    return output.print(tasks::write_features(*request, output.reporter));
  };
}

}  // namespace fcm::apps::commands
