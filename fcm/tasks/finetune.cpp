// Training a classifier: folder, data, weights, loop, evaluation, report.
#include "fcm/train/finetune.h"

#include <fmt/format.h>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/tasks/classifier.h"
#include "fcm/tasks/features.h"
#include "fcm/tasks/machine.h"
#include "fcm/tasks/run_folder.h"
#include "fcm/tasks/tasks.h"
#include "fcm/train/meters.h"
#include "fcm/train/setup.h"

namespace fcm::tasks {
namespace {

constexpr int64_t kEvalBatch = 64;

struct LabelledData {
  std::shared_ptr<const loader::Dataset> train, val;
};

LabelledData open_both(const std::string& data, const Machine& machine) {
  LabelledData both{open_labelled(data, loader::Split::kTrain, machine),
                    open_labelled(data, loader::Split::kVal, machine)};
  if (both.train->classes() != both.val->classes()) {
    fail(ExitCode::kData,
         "{}: the classes of the training and validation pictures differ, so accuracy would mean "
         "nothing",
         data);
  }
  return both;
}

nlohmann::json dry_run(const FinetuneRequest& request, const models::Classifier& model,
                       int64_t pictures, int64_t threads) {
  const train::FinetuneRecipe& recipe = request.recipe;
  const at::ScalarType compute = train::compute_type(recipe.model.precision);
  return {{"dry_run", true},
          {"images", pictures},
          {"steps", train::total_steps(train::encoder_recipe(recipe), pictures)},
          {"parameters", model.parameters().trainable_elements()},
          {"precision", train::compute_name(compute)},
          {"micro_batch", train::choose_micro_batch(recipe, compute, train::total_memory_bytes())},
          {"flops_per_image", 6 * train::forward_multiply_adds(recipe)},
          {"threads", threads}};
}

nlohmann::json result_of(const train::TrainResult& run, const Evaluation& evaluation,
                         const std::filesystem::path& out) {
  nlohmann::json result = {{"top1", evaluation.top1}, {"top5", evaluation.top5},
                           {"loss", evaluation.loss}, {"images", evaluation.images},
                           {"steps", run.steps},      {"total_steps", run.total_steps},
                           {"stopped", false},        {"out", out.string()}};
  if (run.seconds > 0) {  // this launch did something
    result["seconds"] = run.seconds;
    result["images_per_second"] = run.images_per_second;
  }
  return result;
}

}  // namespace

nlohmann::json finetune(const FinetuneRequest& request, Reporter& reporter) {
  const int64_t threads = set_up_machine(request.machine);
  const train::FinetuneRecipe& recipe = request.recipe;
  train::check(recipe);
  // Everything that can be wrong is found before the folder is touched.
  if (request.resume != "auto" && request.resume != "never") {
    fail(ExitCode::kUsage,
         "--resume {}: a fine-tuning run continues in its own folder only; name the weights to "
         "start from with --checkpoint",
         request.resume);
  }
  const LabelledData data = open_both(request.data, request.machine);
  const auto classes = static_cast<int64_t>(data.train->classes().size());
  models::Classifier model(train::classifier_options(recipe, classes),
                           static_cast<uint64_t>(recipe.run.seed));
  if (!request.checkpoint.empty()) {
    load_encoder(model, checkpoint::load(request.checkpoint, false, reporter),
                 request.allow_missing, reporter);
  }
  if (request.dry_run) return dry_run(request, model, data.train->size(), threads);
  prepare_run_folder({request.out, request.resume, request.overwrite}, recipe, reporter);
  reporter.info(fmt::format("{}: {} pictures of {} classes, {} steps of {}, from {}", request.data,
                            data.train->size(), classes,
                            train::total_steps(train::encoder_recipe(recipe), data.train->size()),
                            recipe.optim.batch_size,
                            request.checkpoint.empty() ? "scratch" : request.checkpoint.string()));

  train::FinetuneRequest training{recipe, data.train, request.out, threads, request.stop, {}};
  training.evaluate = [&](const models::Classifier& now) -> nlohmann::json {
    const Evaluation newest = evaluate(now, recipe, data.val, kEvalBatch, threads);
    reporter.info(fmt::format("top-1 {:.2f} %, top-5 {:.2f} %, loss {:.4f} on {} pictures",
                              newest.top1, newest.top5, newest.loss, newest.images));
    return {{"test_acc1", newest.top1},
            {"test_acc5", newest.top5},
            {"test_loss", newest.loss},
            {"test_images", newest.images}};
  };
  const train::TrainResult run = train::finetune(model, training, reporter);
  if (run.stopped) {
    return {{"steps", run.steps},
            {"total_steps", run.total_steps},
            {"stopped", true},
            {"out", request.out.string()}};
  }
  // run.max_steps may end inside an epoch, and a finished run makes no step.
  const Evaluation last = evaluate(model, recipe, data.val, kEvalBatch, threads);
  const nlohmann::json result = result_of(run, last, request.out);
  write_file_durably(request.out / "result.json", result.dump(2) + "\n", ExitCode::kUsage);
  report(request.out, reporter);
  return result;
}

}  // namespace fcm::tasks
