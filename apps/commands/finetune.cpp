#include "apps/commands/commands.h"
#include "apps/commands/train_supervised.h"
#include "apps/shared_flags.h"
#include "fcm/base/error.h"

namespace fcm::apps::commands {

Action finetune(Flags& flags) {
  struct Arguments {
    RecipeChoice recipe;
    bool from_scratch = false;
    tasks::FinetuneRequest run;
  };
  const auto arguments = std::make_shared<Arguments>();
  flags.describe(
      "Train a classifier, a segmenter or a detector on labelled images",
      "Example:\n  fastconvmae finetune --recipe smoke_finetune --data synthetic --checkpoint "
      "runs/smoke --out runs/tuned\n"
      "Ctrl-C or SIGTERM saves and ends with exit status 75; the same command resumes it.");
  tasks::FinetuneRequest& run = arguments->run;
  add_recipe(flags, arguments->recipe.name).required();
  add_data(flags, run.data).required();
  add_run_folder(flags, run.out).required();
  const Flag checkpoint = add_checkpoint(flags, run.checkpoint);
  const Flag allow_missing = add_allow_missing(flags, run.allow_missing);
  flags.add("--from-scratch", arguments->from_scratch, "Start from random weights")
      .excludes(checkpoint)
      .excludes(allow_missing);
  add_set(flags, arguments->recipe);
  add_seed(flags, arguments->recipe);
  add_resume(flags, run.resume, "auto|never", "auto: resume the run in --out; never: refuse");
  add_overwrite(flags, run.overwrite, "Replace the run in --out");
  add_dry_run(flags, run.dry_run);
  add_machine(flags, run.machine);
  return [arguments](const Output& output) {
    if (arguments->run.checkpoint.empty() && !arguments->from_scratch) {
      fail(ExitCode::kUsage,
           "finetune needs weights to start from: --checkpoint PATH; or --from-scratch for none");
    }
    return train_supervised(arguments->run, supervised_recipe(arguments->recipe), arguments->recipe,
                            "finetune", "all", output);
  };
}

}  // namespace fcm::apps::commands
