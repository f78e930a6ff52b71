#include "apps/commands/commands.h"
#include "apps/recipes.h"
#include "apps/shared_flags.h"
#include "apps/signals.h"

namespace fcm::apps::commands {

Action pretrain(Flags& flags) {
  struct Arguments {
    RecipeChoice recipe;
    tasks::RunRequest run;
  };
  const auto arguments = std::make_shared<Arguments>();
  flags.describe(
      "Train an encoder on images without labels",
      "Example:\n  fastconvmae pretrain --recipe smoke_pretrain --data synthetic --out runs/smoke\n"
      "Ctrl-C or SIGTERM saves and ends with exit status 75; the same command resumes it.");
  tasks::RunRequest& run = arguments->run;
  add_recipe(flags, arguments->recipe.name).required();
  add_data(flags, run.data).required();
  add_run_folder(flags, run.out).required();
  add_teachers(flags, run.teachers);
  add_set(flags, arguments->recipe);
  add_seed(flags, arguments->recipe);
  add_resume(flags, run.resume, "auto|never|PATH",
             "auto: resume the run in --out; never: refuse; or a checkpoint to start from");
  add_overwrite(flags, run.overwrite, "Replace the run in --out");
  add_dry_run(flags, run.dry_run);
  add_machine(flags, run.machine);
  add_cuda_graph(flags, run.machine);
  return [arguments](const Output& output) {
    tasks::RunRequest& request = arguments->run;
    request.recipe = pretraining_recipe(arguments->recipe);
    request.stop = catch_stop_signals();
    request.machine.group = output.group;
    return output.print_run(tasks::pretrain(request, output.reporter));
  };
}

}  // namespace fcm::apps::commands
