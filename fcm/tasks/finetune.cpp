// Training a classifier: folder, data, weights, loop, evaluation, report.
#include "fcm/train/finetune.h"

#include <fmt/format.h>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/tasks/classifier.h"
#include "fcm/tasks/features.h"
#include "fcm/tasks/machine.h"
#include "fcm/tasks/probe_learner.h"
#include "fcm/tasks/run_folder.h"
#include "fcm/tasks/tasks.h"
#include "fcm/train/classifier_learner.h"
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
  refuse_different_classes(data, *both.train, *both.val);
  return both;
}

nlohmann::json dry_run(const FinetuneRequest& request, const train::Learner& learner,
                       int64_t pictures, int64_t threads) {
  const train::FinetuneRecipe& recipe = request.recipe;
  const at::ScalarType compute = train::compute_type(recipe.model.precision, learner.device());
  return {{"dry_run", true},
          {"images", pictures},
          {"steps", train::total_steps(train::encoder_recipe(recipe), pictures)},
          {"parameters", learner.trainable_elements()},
          {"precision", train::compute_name(compute)},
          {"micro_batch",
           train::choose_micro_batch(recipe, compute, train::total_memory_bytes(learner.device()))},
          {"flops_per_image", train::training_flops(recipe)},
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

namespace {

// The learner a recipe asks for, and how what it has learned answers.
struct Pupil {
  std::unique_ptr<train::Learner> learner;
  Answer answer;
  Answer without_average;  // where `answer` is a moving average's
};

Pupil pupil_of(const train::FinetuneRecipe& recipe, models::Classifier model) {
  if (recipe.classifier.learns == "head") {
    auto learner = std::make_unique<ProbeLearner>(std::move(model), recipe);
    const ProbeLearner* probe = learner.get();
    return {std::move(learner), [probe](const auto& batch) { return probe->logits(batch); }, {}};
  }
  auto learner = std::make_unique<train::ClassifierLearner>(std::move(model), recipe);
  const auto answer_of = [&recipe](const models::Classifier* judged) -> Answer {
    return [&recipe, judged](const loader::Batch& batch) {
      return train::logits_of(*judged, batch, recipe.data,
                              train::compute_type(recipe.model.precision, judged->device()));
    };
  };
  Pupil pupil{nullptr, answer_of(&learner->best()), {}};
  if (learner->average() != nullptr) pupil.without_average = answer_of(&learner->model());
  pupil.learner = std::move(learner);
  return pupil;
}

// Measures what is being trained, and remembers what came out last.
class Examiner {
 public:
  Examiner(const train::FinetuneRecipe& recipe, const Pupil& pupil, LabelledData data,
           int64_t threads, Reporter& reporter)
      : recipe_(recipe),
        pupil_(pupil),
        data_(std::move(data)),
        threads_(threads),
        reporter_(reporter) {}

  // Keys for the line of an epoch.
  nlohmann::json operator()() {
    const train::Stopwatch watch;
    last_ = evaluate(pupil_.answer, recipe_, data_.val, kEvalBatch, threads_);
    nlohmann::json line = {{"test_acc1", last_->top1},
                           {"test_acc5", last_->top5},
                           {"test_loss", last_->loss},
                           {"test_images", last_->images},
                           {"test_seconds", watch.seconds()}};
    if (pupil_.without_average) {
      const Evaluation plain =
          evaluate(pupil_.without_average, recipe_, data_.val, kEvalBatch, threads_);
      line["test_acc1_without_average"] = plain.top1;
    }
    reporter_.info(fmt::format("top-1 {:.2f} %, top-5 {:.2f} %, loss {:.4f} on {} pictures",
                               last_->top1, last_->top5, last_->loss, last_->images));
    return line;
  }

  // Of the weights as they are at the end: a finished run that is started again makes no step.
  const Evaluation& last() {
    if (!last_) (*this)();
    return *last_;
  }

 private:
  const train::FinetuneRecipe& recipe_;
  const Pupil& pupil_;
  LabelledData data_;
  int64_t threads_;
  Reporter& reporter_;
  std::optional<Evaluation> last_;
};

models::Classifier model_of(const FinetuneRequest& request, int64_t classes, Reporter& reporter) {
  models::Classifier model(train::classifier_options(request.recipe, classes),
                           static_cast<uint64_t>(request.recipe.run.seed),
                           device_of(request.machine));
  if (!request.checkpoint.empty()) {
    load_encoder(model, checkpoint::load(request.checkpoint, false, reporter),
                 request.allow_missing, reporter);
  }
  return model;
}

void refuse_resume_from_elsewhere(const FinetuneRequest& request) {
  if (request.resume == "auto" || request.resume == "never") return;
  fail(ExitCode::kUsage,
       "--resume {}: a run that trains a classifier continues in its own folder only; name the "
       "weights to start from with --checkpoint",
       request.resume);
}

}  // namespace

nlohmann::json finetune(const FinetuneRequest& request, Reporter& reporter) {
  const int64_t threads = set_up_machine(request.machine);
  const train::FinetuneRecipe& recipe = request.recipe;
  train::check(recipe);
  // Everything that can be wrong is found before the folder is touched.
  refuse_resume_from_elsewhere(request);
  const LabelledData data = open_both(request.data, request.machine);
  const auto classes = static_cast<int64_t>(data.train->classes().size());
  const Pupil pupil = pupil_of(recipe, model_of(request, classes, reporter));
  if (request.dry_run) return dry_run(request, *pupil.learner, data.train->size(), threads);
  const int64_t steps = train::total_steps(train::encoder_recipe(recipe), data.train->size());
  prepare_run_folder({request.out, request.resume, request.overwrite}, recipe, reporter);
  reporter.info(fmt::format("{}: {} pictures of {} classes, {} steps of {}, from {}", request.data,
                            data.train->size(), classes, steps, recipe.optim.batch_size,
                            request.checkpoint.empty() ? "scratch" : request.checkpoint.string()));

  Examiner examiner(recipe, pupil, data, threads, reporter);
  const train::FinetuneRequest training{recipe,  data.train,   request.out,
                                        threads, request.stop, [&] { return examiner(); }};
  const train::TrainResult run = train::finetune(*pupil.learner, training, reporter);
  if (run.stopped) {
    return {{"steps", run.steps},
            {"total_steps", run.total_steps},
            {"stopped", true},
            {"out", request.out.string()}};
  }
  const nlohmann::json result = result_of(run, examiner.last(), request.out);
  write_file_durably(request.out / "result.json", result.dump(2) + "\n", ExitCode::kUsage);
  report(request.out, reporter);
  return result;
}

}  // namespace fcm::tasks
