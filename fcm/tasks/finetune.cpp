// The command finetune: a supervised run with its folder, data, initial weights, training loop,
// measurements and report.
#include <fmt/format.h>

#include <memory>
#include <optional>
#include <utility>

#include "fcm/base/counted.h"
#include "fcm/base/error.h"
#include "fcm/interop/load_any.h"
#include "fcm/loader/until_stopped.h"
#include "fcm/recipe/check.h"
#include "fcm/recipe/setup.h"
#include "fcm/tasks/checkpoint_encoder.h"
#include "fcm/tasks/data.h"
#include "fcm/tasks/dry_run.h"
#include "fcm/tasks/machine.h"
#include "fcm/tasks/nesting.h"
#include "fcm/tasks/ranks.h"
#include "fcm/tasks/result_file.h"
#include "fcm/tasks/run_folder.h"
#include "fcm/tasks/supervised_task.h"
#include "fcm/tasks/tasks.h"
#include "fcm/train/loop.h"

namespace fcm::tasks {
namespace {

nlohmann::json result_of(const train::TrainResult& run, nlohmann::json figures,
                         const std::filesystem::path& out) {
  nlohmann::json result = std::move(figures);
  result["steps"] = run.steps;
  result["total_steps"] = run.total_steps;
  result["stopped"] = false;
  result["out"] = out.string();
  if (run.seconds > 0) {  // this launch ran steps
    result["seconds"] = run.seconds;
    result["images_per_second"] = run.images_per_second;
  }
  return result;
}

LabelledData data_for(const FinetuneRequest& request, Reporter& reporter) {
  const auto open = request.recipe.is<recipe::Segment>()  ? open_mapped_splits
                    : request.recipe.is<recipe::Detect>() ? open_instance_splits
                                                          : open_labelled_splits;
  return open(request.data, request.machine, reporter);
}

// The class names: of the maps for a segmenter, of the objects for a detector, of the labels for a
// classifier.
const std::vector<std::string>& classes_of(const loader::Dataset& dataset,
                                           const recipe::Recipe& recipe) {
  if (recipe.is<recipe::Segment>()) return dataset.map_classes().names;
  return recipe.is<recipe::Detect>() ? dataset.instance_classes().names : dataset.classes();
}

void refuse_resume_from_elsewhere(const FinetuneRequest& request) {
  if (request.resume == "auto" || request.resume == "never") return;
  fail(ExitCode::kUsage,
       "--resume {}: a run of finetune can only resume in its own folder; name the "
       "weights to start from with --checkpoint",
       request.resume);
}

}  // namespace

std::unique_ptr<SupervisedTask> make_supervised_task(const SupervisedTaskRequest& request,
                                                     std::optional<checkpoint::Checkpoint> start,
                                                     Reporter& reporter) {
  const recipe::Recipe& recipe = request.run.recipe;
  const auto make = recipe.is<recipe::Segment>()  ? make_segmenter_task
                    : recipe.is<recipe::Detect>() ? make_detector_task
                                                  : make_classifier_task;
  return make(request, std::move(start), reporter);
}

nlohmann::json finetune(const FinetuneRequest& asked, Reporter& reporter) {
  const int64_t threads = set_up_machine(asked.machine);
  // An error before prepare_run_folder leaves the run folder unchanged.
  refuse_resume_from_elsewhere(asked);
  std::optional<checkpoint::Checkpoint> start;
  if (!asked.checkpoint.empty()) start = interop::load_any(asked.checkpoint, false, reporter);
  FinetuneRequest request = asked;
  request.recipe = resolved_recipe(asked, start ? &*start : nullptr, reporter);
  const recipe::Recipe& recipe = request.recipe;
  recipe::check(recipe);
  const LabelledData data = data_for(request, reporter);
  dist::Group& group = *request.machine.group;
  refuse_different_ranks(group, recipe, request.data, *data.train);
  refuse_uneven_shares(group, recipe);
  refuse_nested(request.out, request.data, *data.train, reporter);
  RunFacts facts;
  facts.started_from = start ? absolute_path(start->path) : "";
  facts.learns_classes = true;
  if (start) facts.pretrained_on = stored_set(start->state, kTrainedOn);
  const std::vector<std::string>& classes = classes_of(*data.train, recipe);
  // Ranks measure together, so a single rank cannot stop measuring.
  const std::atomic<bool>* stop_measuring = group.size() > 1 ? nullptr : request.stop;
  const std::unique_ptr<SupervisedTask> task =
      make_supervised_task({request, data, stop_measuring, threads}, std::move(start), reporter);
  if (request.dry_run) {
    const train::Learner& learner = task->learner();
    return dry_run({recipe, request.machine, learner.device(), learner.trainable_elements(),
                    data.train->size(), threads});
  }
  const int64_t steps = train::total_steps(recipe, data.train->size());
  facts.trained_on = describe_images(*data.train, request.data, loader::Split::kTrain, threads);
  facts.measured_on = describe_images(*data.val, request.data, loader::Split::kVal, threads);
  PreparedRun prepared;  // only on rank 0
  dist::on_first(group, [&] {
    prepared = prepare_run_folder(
        {request.out, request.resume, request.overwrite, std::move(facts)}, recipe, reporter);
  });
  reporter.info(fmt::format("{}: {} of {}, {} of {}, from {}", request.data,
                            counted(data.train->size(), "image", "images"),
                            counted(std::ssize(classes), "class", "classes"),
                            counted(steps, "step", "steps"), recipe.optim.batch_size,
                            request.checkpoint.empty() ? "scratch" : request.checkpoint.string()));

  train::TrainRequest training;
  training.recipe = recipe;
  training.dataset = data.train;
  training.out = request.out;
  training.extra_state = prepared.about;
  training.threads = threads;
  training.group = request.machine.group;
  training.stop = request.stop;
  training.measure = [&](int64_t) { return task->measure(); };
  training.measures_last_step = true;
  training.logs_totals = true;
  training.draw_images = [&](int64_t step) { task->draw(step); };
  const train::TrainResult run = train::train(task->learner(), training, reporter);
  const nlohmann::json stopped = {{"steps", run.steps},
                                  {"total_steps", run.total_steps},
                                  {"stopped", true},
                                  {"out", request.out.string()}};
  if (run.stopped) return stopped;
  nlohmann::json result;
  try {
    result = result_of(run, task->figures(), request.out);
  } catch (const loader::StopRequested&) {  // a finished run that was being measured again
    return stopped;
  }
  put_provenance(result, prepared.about);
  put_notes(result, task->notes());
  result["class_names"] = printable(classes);
  replace_non_finite(result, reporter);
  if (group.writes()) {
    write_run_result(request.out, result);
    report(request.out, reporter);
  }
  return result;
}

}  // namespace fcm::tasks
