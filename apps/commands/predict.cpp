#include <nlohmann/json.hpp>

#include "apps/commands/commands.h"
#include "apps/shared_flags.h"

namespace fcm::apps::commands {

Action predict(Flags& flags) {
  const auto request = std::make_shared<tasks::PredictRequest>();
  flags.describe("Draw predictions into images: labels, class maps, or objects",
                 "Example:\n  fastconvmae predict --checkpoint runs/scenes --images street.jpg "
                 "holidays/ --out answers");
  add_checkpoint(flags, request->checkpoint.path).required();
  add_set_of_checkpoint(flags, request->checkpoint.set);
  flags.add_words("--images", request->images, "FILE|DIR", "Images, or folders of images")
      .required();
  flags
      .add(
          "--out", request->out, "DIR",
          "Folder for NAME.png, for segmenters also NAME.map.png, and results.json, which lists them")
      .required();
  add_overwrite(flags, request->overwrite, "Replace the predictions in --out");
  add_machine(flags, request->machine);
  return [request](const Output& output) {
    return output.print(tasks::predict(*request, output.reporter));
  };
}

}  // namespace fcm::apps::commands
