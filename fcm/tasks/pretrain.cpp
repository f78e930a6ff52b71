// The command pretrain: a run with its folder, data, model, training loop, sheets and report.
#include "fcm/train/learners/pretrain.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "fcm/base/counted.h"
#include "fcm/base/error.h"
#include "fcm/checkpoint/checkpoint.h"
#include "fcm/interop/load_any.h"
#include "fcm/recipe/check.h"
#include "fcm/recipe/setup.h"
#include "fcm/tasks/data.h"
#include "fcm/tasks/dry_run.h"
#include "fcm/tasks/machine.h"
#include "fcm/tasks/nesting.h"
#include "fcm/tasks/online_evaluation.h"
#include "fcm/tasks/ranks.h"
#include "fcm/tasks/reconstruct.h"
#include "fcm/tasks/run_files.h"
#include "fcm/tasks/run_folder.h"
#include "fcm/tasks/tasks.h"
#include "fcm/tasks/teachers.h"
#include "fcm/train/loop.h"

namespace fcm::tasks {
namespace {

// The first readable images of the data, preprocessed as in evaluation.
std::vector<image::Image> first_images(const loader::Dataset& dataset,
                                       const recipe::Recipe& recipe) {
  constexpr int64_t kImages = 6;
  std::vector<image::Image> images;
  for (int64_t i = 0; i < dataset.size() && std::ssize(images) < kImages; ++i) {
    try {
      images.push_back(fit_to_recipe(dataset.get(i, recipe.data.channels), recipe));
    } catch (const Error&) {
      // The sheet skips an unreadable image, which the loader counts and reports.
    }
  }
  return images;
}

}  // namespace

nlohmann::json pretrain(const RunRequest& request, Reporter& reporter) {
  const int64_t threads = set_up_machine(request.machine);
  const recipe::Recipe& recipe = request.recipe;
  recipe::check_pretraining(recipe);
  // An error before prepare_run_folder leaves the run folder unchanged.
  std::shared_ptr<const loader::Dataset> dataset =
      open_images(request.data, loader::Split::kTrain, request.machine, reporter);
  dist::Group& group = *request.machine.group;
  refuse_different_ranks(group, recipe, request.data, *dataset);
  refuse_uneven_shares(group, recipe);
  refuse_nested(request.out, request.data, *dataset, reporter);
  const int64_t steps = train::total_steps(recipe, dataset->size());
  models::MaskedAutoencoder untrained(recipe::autoencoder_options(recipe),
                                      static_cast<uint64_t>(recipe.run.seed),
                                      device_of(request.machine));
  if (request.dry_run) {
    return dry_run({recipe, request.machine, untrained.device(),
                    untrained.parameters().trainable_elements(), dataset->size(), threads});
  }
  train::PretrainLearner learner(
      std::move(untrained), recipe,
      load_teachers(recipe, request.teachers, device_of(request.machine), reporter),
      request.machine.group);
  const models::MaskedAutoencoder& model = learner.model();
  std::optional<checkpoint::Checkpoint> start;
  if (request.resume != "auto" && request.resume != "never") {
    start = interop::load_any(request.resume, true, reporter);
    learner.restore(*start);  // throws before the run writes anything
  }
  const OnlineEvaluation online_evaluation(request, threads, reporter);
  RunFacts facts;
  facts.trained_on = describe_images(*dataset, request.data, loader::Split::kTrain, threads);
  facts.measured_on = online_evaluation.measured_on();
  if (start) {
    facts.started_from = absolute_path(start->path);
    facts.continued = start->state;
  }
  PreparedRun prepared;  // only on rank 0
  dist::on_first(group, [&] {
    prepared = prepare_run_folder(
        {request.out, request.resume, request.overwrite, std::move(facts), request.lock}, recipe,
        reporter);
  });
  reporter.info(fmt::format(
      "{}: {}, {} of {}, {:.1f} M parameters, {}, {}, {} ({})", request.data,
      counted(dataset->size(), "image", "images"), counted(steps, "step", "steps"),
      recipe.optim.batch_size, static_cast<double>(learner.trainable_elements()) / 1e6,
      recipe::compute_name(recipe::compute_type(recipe.model.precision, model.device())),
      model.device().str(), counted(threads, "thread", "threads"),
      threads_set_by(request.machine)));

  const std::vector<image::Image> images = first_images(*dataset, recipe);
  train::TrainRequest training;
  training.recipe = recipe;
  training.dataset = dataset;
  training.out = request.out;
  training.extra_state = prepared.about;
  training.start_from = start ? &*start : nullptr;
  training.threads = threads;
  training.group = request.machine.group;
  training.stop = request.stop;
  training.queued = model.device().is_cuda();
  training.record = learner.recording(request.machine.cuda_graph);
  training.measure = [&](int64_t epoch) {
    return train::Measured{online_evaluation(model, epoch), std::nullopt};
  };
  training.draw_images = [&](int64_t step) {
    if (images.empty()) return;
    image::write_png(request.out / "pictures" / image_name(step),
                     reconstruction_sheet(model, learner.teachers(), recipe, images, 0,
                                          fmt::format("{}, step {}", recipe.row.name, step)));
  };
  const train::TrainResult result = train::train(learner, training, reporter);
  if (!result.stopped && group.writes()) report(request.out, reporter);
  nlohmann::json summary = {{"steps", result.steps},
                            {"total_steps", result.total_steps},
                            {"stopped", result.stopped},
                            {"out", request.out.string()}};
  put_provenance(summary, prepared.about);
  if (result.seconds > 0) {  // this launch ran steps
    summary["loss"] = result.loss;
    summary["seconds"] = result.seconds;
    summary["images_per_second"] = result.images_per_second;
  }
  return summary;
}

}  // namespace fcm::tasks
