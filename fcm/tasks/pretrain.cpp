// A pretraining run: folder, data, model, loop, pictures, report.
#include <fmt/format.h>

#include "fcm/base/error.h"
#include "fcm/checkpoint/checkpoint.h"
#include "fcm/ops/cuda/graph.h"
#include "fcm/optim/adamw.h"
#include "fcm/tasks/machine.h"
#include "fcm/tasks/online_evaluation.h"
#include "fcm/tasks/reconstruct.h"
#include "fcm/tasks/run_folder.h"
#include "fcm/tasks/tasks.h"
#include "fcm/tasks/teachers.h"
#include "fcm/train/meters.h"
#include "fcm/train/setup.h"
#include "fcm/train/state.h"
#include "fcm/train/trainer.h"

namespace fcm::tasks {
namespace {

// The first pictures of the data, as the network sees them in evaluation.
std::vector<image::Image> first_pictures(const loader::Dataset& dataset,
                                         const train::Recipe& recipe) {
  constexpr int64_t kPictures = 6;
  std::vector<image::Image> pictures;
  for (int64_t i = 0; i < dataset.size() && std::ssize(pictures) < kPictures; ++i) {
    try {
      pictures.push_back(fit_to_recipe(dataset.get(i, recipe.data.channels), recipe));
    } catch (const Error&) {
      // The loader counts and reports unreadable pictures; a sheet takes the next one.
    }
  }
  return pictures;
}

nlohmann::json dry_run(const RunRequest& request, const models::MaskedAutoencoder& model,
                       int64_t pictures, int64_t threads) {
  const train::Recipe& recipe = request.recipe;
  const at::ScalarType compute = train::compute_type(recipe.model.precision, model.device());
  const int64_t steps = train::total_steps(recipe, pictures);
  return {{"dry_run", true},
          {"images", pictures},
          {"steps", steps},
          {"parameters", model.parameters().trainable_elements()},
          {"precision", train::compute_name(compute)},
          {"micro_batch",
           train::choose_micro_batch(recipe, compute, train::total_memory_bytes(model.device()))},
          {"activation_bytes_per_image", train::activation_bytes_per_image(recipe, compute)},
          {"flops_per_image", train::training_flops(recipe)},
          {"threads", threads}};
}

}  // namespace

nlohmann::json pretrain(const RunRequest& request, Reporter& reporter) {
  const int64_t threads = set_up_machine(request.machine);
  const train::Recipe& recipe = request.recipe;
  train::check(recipe);
  // Everything that can be wrong is found before the folder is touched.
  std::shared_ptr<const loader::Dataset> dataset =
      loader::open_dataset(request.data, loader::Split::kTrain, open_options(request.machine));
  const int64_t steps = train::total_steps(recipe, dataset->size());
  models::MaskedAutoencoder model(train::autoencoder_options(recipe),
                                  static_cast<uint64_t>(recipe.run.seed),
                                  device_of(request.machine));
  if (request.dry_run) return dry_run(request, model, dataset->size(), threads);
  const std::unique_ptr<targets::Teachers> teachers =
      load_teachers(recipe, request.teachers, model.device());
  targets::EmaTeacher* ema = teachers ? teachers->ema() : nullptr;
  const bool starts_elsewhere = request.resume != "auto" && request.resume != "never";
  if (starts_elsewhere) {  // fails here, if it does
    optim::AdamW optimizer(model.parameters(), recipe.optim);
    train::load_training_state(model.parameters(), optimizer, ema ? &ema->parameters() : nullptr,
                               checkpoint::load(request.resume, true, reporter));
  }
  const OnlineEvaluation online_evaluation(request, threads, reporter);
  prepare_run_folder({request.out, request.resume, request.overwrite}, recipe, reporter);
  reporter.info(
      fmt::format("{}: {} pictures, {} steps of {}, {:.1f} M parameters, {}, {}, {} threads",
                  request.data, dataset->size(), steps, recipe.optim.batch_size,
                  static_cast<double>(model.parameters().trainable_elements()) / 1e6,
                  train::compute_name(train::compute_type(recipe.model.precision, model.device())),
                  model.device().str(), threads));

  const std::vector<image::Image> pictures = first_pictures(*dataset, recipe);
  train::TrainRequest training{recipe,  dataset,      request.out, {}, teachers.get(),
                               threads, request.stop, {},          {}};
  if (starts_elsewhere) training.start_from = request.resume;
  training.queued = model.device().is_cuda();
  if (training.queued && request.machine.cuda_graph && teachers == nullptr) {
    training.record = ops::make_cuda_graph;
  }
  training.at_epoch_end = online_evaluation;
  training.draw_pictures = [&](const models::MaskedAutoencoder& now, int64_t step) {
    if (pictures.empty()) return;
    image::write_png(request.out / "pictures" / fmt::format("step-{:08}.png", step),
                     reconstruction_sheet(now, teachers.get(), recipe, pictures, 0,
                                          fmt::format("{}, step {}", recipe.row.name, step)));
  };
  const train::TrainResult result = train::train(model, training, reporter);
  if (result.steps == result.total_steps && result.seconds == 0) {
    reporter.info(
        fmt::format("{} is finished: all {} steps are done", request.out.string(), result.steps));
  }
  if (!result.stopped) report(request.out, reporter);
  nlohmann::json summary = {{"steps", result.steps},
                            {"total_steps", result.total_steps},
                            {"stopped", result.stopped},
                            {"out", request.out.string()}};
  if (result.seconds > 0) {  // this launch did something
    summary["loss"] = result.loss;
    summary["seconds"] = result.seconds;
    summary["images_per_second"] = result.images_per_second;
  }
  return summary;
}

}  // namespace fcm::tasks
