#include <nlohmann/json.hpp>

#include "apps/commands/commands.h"
#include "apps/commands/train_supervised.h"
#include "apps/shared_flags.h"
#include "fcm/base/error.h"
#include "fcm/tasks/result_file.h"

namespace fcm::apps::commands {
namespace {

// Runs the probe that is fitted to features computed once: by SGD if `fast`, else to its optimum.
nlohmann::json probe_of_features(const tasks::FinetuneRequest& request,
                                 const std::vector<std::string>& set, bool fast,
                                 Reporter& reporter) {
  const tasks::CheckpointRequest checkpoint{
      .path = request.checkpoint, .set = set, .allow_missing = request.allow_missing};
  if (fast) return tasks::fast_linprobe(request.data, checkpoint, request.machine, reporter);
  tasks::RunRequest run;
  run.data = request.data;
  run.machine = request.machine;
  return tasks::linprobe(run, checkpoint, reporter);
}

}  // namespace

Action linprobe(Flags& flags) {
  struct Arguments {
    RecipeChoice recipe;
    bool fast = false;
    tasks::FinetuneRequest run;
  };
  const auto arguments = std::make_shared<Arguments>();
  flags.describe(
      "Accuracy of a linear classifier on frozen features",
      "--seed, --resume, --overwrite and --dry-run are only for --recipe linprobe_*.\n"
      "Examples:\n  fastconvmae linprobe --data fashion-mnist --checkpoint runs/demo\n"
      "  fastconvmae linprobe --recipe smoke_linprobe --data synthetic --checkpoint runs/smoke "
      "--out runs/probe");
  tasks::FinetuneRequest& run = arguments->run;
  const Flag by_recipe =
      flags.add("--recipe", arguments->recipe.name, "NAME|FILE",
                "linprobe_*: upstream's probe, on augmented images; another recipe or none: "
                "logistic regression to its optimum, on features computed once");
  flags
      .add("--fast", arguments->fast,
           "Train by SGD at several learning rates, on features computed once")
      .excludes(by_recipe);
  add_data(flags, run.data).required();
  add_checkpoint(flags, run.checkpoint).required();
  add_allow_missing(flags, run.allow_missing);
  flags.add("--out", run.out, "DIR", "Folder for result.json; with --recipe the run folder");
  flags.add_repeated(
      "--set", arguments->recipe.set, "SECTION.KEY=VALUE",
      "Change a key of the recipe, or without --recipe of the checkpoint's recipe; may be repeated");
  const std::vector<Flag> of_training = {
      add_seed(flags, arguments->recipe),
      add_resume(flags, run.resume, "auto|never", "auto: resume the run in --out; never: refuse"),
      add_overwrite(flags, run.overwrite, "Replace the run in --out"),
      add_dry_run(flags, run.dry_run)};
  add_machine(flags, run.machine);
  return [arguments, of_training](const Output& output) {
    const RecipeChoice& choice = arguments->recipe;
    tasks::FinetuneRequest& request = arguments->run;
    if (!choice.name.empty()) {
      const recipe::Recipe recipe = any_recipe(choice);
      if (!recipe.is<recipe::Pretrain>()) {
        if (request.out.empty()) {
          fail(ExitCode::kUsage,
               "linprobe --recipe {} trains a probe and needs a run folder: --out DIR",
               choice.name);
        }
        return train_supervised(request, recipe, choice, "linprobe", "head", output);
      }
    }
    request.machine.group = output.group;
    refuse(of_training, "is only for --recipe linprobe_*, which trains a probe");
    dist::Group& group = *output.group;
    dist::on_first(group, [&] {
      if (!request.out.empty()) tasks::refuse_foreign_result(request.out);
    });
    const nlohmann::json result =
        probe_of_features(request, choice.set, arguments->fast, output.reporter);
    if (!request.out.empty() && group.writes()) tasks::write_result(request.out, result);
    return output.print(result);
  };
}

}  // namespace fcm::apps::commands
