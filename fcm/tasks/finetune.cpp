// Training a classifier: folder, data, weights, loop, evaluation, report.
#include <fmt/format.h>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/eval/classifier_accuracy.h"
#include "fcm/formats/json_text.h"
#include "fcm/interop/load_any.h"
#include "fcm/loader/until_stopped.h"
#include "fcm/models/inputs.h"
#include "fcm/recipe/check.h"
#include "fcm/recipe/setup.h"
#include "fcm/tasks/checkpoint_encoder.h"
#include "fcm/tasks/data.h"
#include "fcm/tasks/machine.h"
#include "fcm/tasks/nesting.h"
#include "fcm/tasks/ranks.h"
#include "fcm/tasks/result_file.h"
#include "fcm/tasks/run_folder.h"
#include "fcm/tasks/tasks.h"
#include "fcm/tasks/trained_classifier.h"
#include "fcm/train/learners/classify.h"
#include "fcm/train/learners/probe.h"
#include "fcm/train/loop.h"
#include "fcm/train/meters.h"
#include "fcm/train/update_memory.h"

namespace fcm::tasks {
namespace {

constexpr int64_t kEvalBatch = 64;

nlohmann::json dry_run(const FinetuneRequest& request, const train::Learner& learner,
                       int64_t pictures, int64_t threads) {
  const recipe::Recipe& recipe = request.recipe;
  const at::ScalarType compute = recipe::compute_type(recipe.model.precision, learner.device());
  const double memory = train::memory_for_pictures(
      recipe, learner.trainable_elements(), learner.device(), request.machine.group->ranks_here());
  return {{"dry_run", true},
          {"images", pictures},
          {"steps", train::total_steps(recipe, pictures)},
          {"parameters", learner.trainable_elements()},
          {"precision", recipe::compute_name(compute)},
          {"memory_bytes", train::total_memory_bytes(learner.device())},
          {"micro_batch", recipe::choose_micro_batch(recipe, compute, memory)},
          {"flops_per_image", recipe::training_flops(recipe)},
          {"threads", threads},
          {"threads_set_by", threads_set_by(request.machine)}};
}

nlohmann::json result_of(const train::TrainResult& run, const eval::ClassifierAccuracy& evaluation,
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

// NaN is no class: such pictures count as wrong, and the mean loss is none.
std::vector<std::string> notes_on_answers(const eval::ClassifierAccuracy& evaluation) {
  if (evaluation.not_finite == 0) return {};
  return {
      fmt::format("{} of {} pictures got answers that hold NaN or infinity; they count as "
                  "wrong, and there is no loss",
                  evaluation.not_finite, evaluation.images)};
}

// The learner a recipe asks for, and how what it has learned predicts.
struct Trainee {
  std::unique_ptr<train::Learner> learner;
  eval::Predict predict;
  eval::Predict without_average;  // where `predict` is a moving average's
};

Trainee trainee_of(const recipe::Recipe& recipe, models::Classifier model,
                   const std::shared_ptr<dist::Group>& group) {
  if (recipe.classify().classifier.learns == "head") {
    auto learner = std::make_unique<train::ProbeLearner>(std::move(model), recipe, group);
    const train::ProbeLearner* probe = learner.get();
    return {std::move(learner), [probe](const auto& batch) { return probe->logits(batch); }, {}};
  }
  auto learner = std::make_unique<train::ClassifierLearner>(std::move(model), recipe, group);
  const auto predict_with = [&recipe](const models::Classifier* judged) -> eval::Predict {
    return [&recipe, judged](const loader::Batch& batch) {
      return models::logits_of(*judged, batch, recipe.data,
                               recipe::compute_type(recipe.model.precision, judged->device()));
    };
  };
  Trainee trainee{nullptr, predict_with(&learner->best()), {}};
  if (learner->average() != nullptr) trainee.without_average = predict_with(&learner->model());
  trainee.learner = std::move(learner);
  return trainee;
}

// Measures what is being trained, and remembers what came out last.
class Evaluator {
 public:
  Evaluator(const recipe::Recipe& recipe, const Trainee& trainee,
            std::shared_ptr<const loader::Dataset> pictures, int64_t threads,
            std::shared_ptr<dist::Group> group, Reporter& reporter)
      : recipe_(recipe),
        trainee_(trainee),
        pictures_(std::move(pictures)),
        threads_(threads),
        group_(std::move(group)),
        reporter_(reporter) {}

  train::Measured operator()() {
    const Stopwatch watch;
    last_ = evaluate(trainee_.predict);
    for (const std::string& note : notes_on_answers(*last_)) reporter_.warn(note);
    train::Measured measured;
    measured.line = {{"test_acc1", last_->top1},
                     {"test_acc5", last_->top5},
                     {"test_loss", last_->loss},
                     {"test_images", last_->images},
                     {"test_seconds", watch.seconds()}};
    measured.metric = eval::Metric{"test_acc1", last_->top1};
    if (trainee_.without_average) {
      measured.line["test_acc1_without_average"] = evaluate(trainee_.without_average).top1;
    }
    reporter_.info(fmt::format("top-1 {:.2f} %, top-5 {:.2f} %, loss {:.4f} on {} pictures",
                               last_->top1, last_->top5, last_->loss, last_->images));
    return measured;
  }

  // Of the weights as they are at the end: a finished run that is started again makes no step.
  const eval::ClassifierAccuracy& last() {
    if (!last_) (*this)();
    return *last_;
  }

 private:
  eval::ClassifierAccuracy evaluate(const eval::Predict& predict) const {
    return eval::classifier_accuracy(predict, recipe_, pictures_, kEvalBatch, threads_, *group_);
  }

  const recipe::Recipe& recipe_;
  const Trainee& trainee_;
  std::shared_ptr<const loader::Dataset> pictures_;
  int64_t threads_;
  std::shared_ptr<dist::Group> group_;
  Reporter& reporter_;
  std::optional<eval::ClassifierAccuracy> last_;
};

models::Classifier model_of(const FinetuneRequest& request,
                            std::optional<checkpoint::Checkpoint> start,
                            const std::vector<std::string>& classes, Reporter& reporter) {
  models::Classifier model(recipe::classifier_options(request.recipe, std::ssize(classes)),
                           static_cast<uint64_t>(request.recipe.run.seed),
                           device_of(request.machine));
  if (start) load_encoder(model, std::move(*start), request.allow_missing, reporter, classes);
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

nlohmann::json finetune(const FinetuneRequest& asked, Reporter& reporter) {
  const int64_t threads = set_up_machine(asked.machine);
  // Everything that can be wrong is found before the folder is touched.
  refuse_resume_from_elsewhere(asked);
  std::optional<checkpoint::Checkpoint> start;
  if (!asked.checkpoint.empty()) start = interop::load_any(asked.checkpoint, false, reporter);
  FinetuneRequest request = asked;
  request.recipe = resolved_recipe(asked, start ? &*start : nullptr, reporter);
  const recipe::Recipe& recipe = request.recipe;
  recipe::check(recipe);
  const LabelledData data = open_labelled_splits(request.data, request.machine, reporter);
  dist::Group& group = *request.machine.group;
  refuse_different_ranks(group, recipe, request.data, *data.train);
  refuse_uneven_shares(group, recipe);
  refuse_nested(request.out, request.data, *data.train, reporter);
  RunFacts facts;
  facts.started_from = start ? absolute_path(start->path) : "";
  facts.learns_classes = true;
  if (start) facts.pretrained_on = stored_set(start->state, kTrainedOn);
  const std::vector<std::string>& classes = data.train->classes();
  const Trainee trainee = trainee_of(recipe, model_of(request, std::move(start), classes, reporter),
                                     request.machine.group);
  if (request.dry_run) return dry_run(request, *trainee.learner, data.train->size(), threads);
  const int64_t steps = train::total_steps(recipe, data.train->size());
  facts.trained_on = describe_pictures(*data.train, request.data, loader::Split::kTrain, threads);
  facts.measured_on = describe_pictures(*data.val, request.data, loader::Split::kVal, threads);
  PreparedRun prepared;  // of rank 0
  dist::on_first(group, [&] {
    prepared = prepare_run_folder(
        {request.out, request.resume, request.overwrite, std::move(facts)}, recipe, reporter);
  });
  reporter.info(fmt::format("{}: {} pictures of {} classes, {} steps of {}, from {}", request.data,
                            data.train->size(), classes.size(), steps, recipe.optim.batch_size,
                            request.checkpoint.empty() ? "scratch" : request.checkpoint.string()));

  // Ranks measure together: one alone cannot leave off.
  const std::atomic<bool>* stop_measuring = group.size() > 1 ? nullptr : request.stop;
  Evaluator evaluator(recipe, trainee, loader::until_stopped(data.val, stop_measuring), threads,
                      request.machine.group, reporter);
  train::TrainRequest training;
  training.recipe = recipe;
  training.dataset = data.train;
  training.out = request.out;
  training.about = prepared.about;
  training.threads = threads;
  training.group = request.machine.group;
  training.stop = request.stop;
  training.measure = [&](int64_t) { return evaluator(); };
  training.measures_last_step = true;
  training.logs_totals = true;
  const train::TrainResult run = train::train(*trainee.learner, training, reporter);
  const nlohmann::json stopped = {{"steps", run.steps},
                                  {"total_steps", run.total_steps},
                                  {"stopped", true},
                                  {"out", request.out.string()}};
  if (run.stopped) return stopped;
  nlohmann::json result;
  try {
    result = result_of(run, evaluator.last(), request.out);
  } catch (const loader::AskedToStop&) {  // a finished run, measured anew
    return stopped;
  }
  put_meaning(result, prepared.about);
  put_notes(result, notes_on_answers(evaluator.last()));
  result["class_names"] = printable(classes);
  settle_numbers(result, reporter);
  if (group.writes()) {
    write_run_result(request.out, result);
    report(request.out, reporter);
  }
  return result;
}

}  // namespace fcm::tasks
