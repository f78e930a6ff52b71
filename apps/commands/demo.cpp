#include "apps/commands/commands.h"
#include "apps/recipes.h"
#include "apps/shared_flags.h"
#include "apps/signals.h"

namespace fcm::apps::commands {

Action demo(Flags& flags) {
  struct Arguments {
    RecipeChoice recipe{"demo", {}, {}};
    bool full = false;
    tasks::DemoRequest demo;
  };
  const auto arguments = std::make_shared<Arguments>();
  flags.describe("Train and measure on Fashion-MNIST in minutes", "Example:\n  fastconvmae demo");
  tasks::DemoRequest& demo = arguments->demo;
  demo.out = "runs/demo";
  flags.add("--out", demo.out, "DIR",
            "Run folder; an unfinished run there is resumed, a finished one replaced");
  flags.add("--images", demo.images, {1, kMany},
            "Stop each training after about N images (whole batches); measure on N labelled "
            "images, within 500 to 10000");
  flags.add("--full", arguments->full,
            "Fine-tune as well, from the pretrained encoder and from scratch (five minutes)");
  add_set(flags, arguments->recipe);
  add_seed(flags, arguments->recipe);
  add_overwrite(flags, demo.overwrite, "Replace an unfinished run in --out as well");
  add_machine(flags, demo.machine);
  add_cuda_graph(flags, demo.machine);
  return [arguments](const Output& output) {
    tasks::DemoRequest& request = arguments->demo;
    request.recipe = pretraining_recipe(arguments->recipe);
    if (arguments->full) request.finetune = supervised_recipe({"finetune_demo", {}, {}});
    request.stop = catch_stop_signals();
    return output.print_run(tasks::demo(request, output.reporter));
  };
}

}  // namespace fcm::apps::commands
