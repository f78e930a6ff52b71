// Trains and measures a classifier, or upstream's linear probe.
#include <fmt/format.h>

#include <utility>

#include "fcm/base/counted.h"
#include "fcm/eval/classifier_accuracy.h"
#include "fcm/loader/until_stopped.h"
#include "fcm/models/inputs.h"
#include "fcm/recipe/setup.h"
#include "fcm/tasks/data.h"
#include "fcm/tasks/machine.h"
#include "fcm/tasks/supervised_task.h"
#include "fcm/tasks/trained_classifier.h"
#include "fcm/train/learners/classify.h"
#include "fcm/train/learners/probe.h"
#include "fcm/train/meters.h"

namespace fcm::tasks {
namespace {

constexpr int64_t kEvalBatch = 64;

models::Classifier classifier_of(const FinetuneRequest& request,
                                 std::optional<checkpoint::Checkpoint> start,
                                 const std::vector<std::string>& classes, Reporter& reporter) {
  models::Classifier model(recipe::classifier_options(request.recipe, std::ssize(classes)),
                           static_cast<uint64_t>(request.recipe.run.seed),
                           device_of(request.machine));
  if (start) load_encoder(model, std::move(*start), request.allow_missing, reporter, classes);
  return model;
}

class ClassifierTask final : public SupervisedTask {
 public:
  ClassifierTask(const SupervisedTaskRequest& request, models::Classifier model, Reporter& reporter)
      : recipe_(request.run.recipe),
        images_(loader::until_stopped(request.data.val, request.stop_measuring)),
        threads_(request.threads),
        group_(request.run.machine.group),
        reporter_(reporter) {
    if (recipe_.classify().classifier.learns == "head") {
      auto learner = std::make_unique<train::ProbeLearner>(std::move(model), recipe_, group_);
      predict_ = [probe = learner.get()](const auto& batch) { return probe->logits(batch); };
      learner_ = std::move(learner);
      return;
    }
    auto learner = std::make_unique<train::ClassifierLearner>(std::move(model), recipe_, group_);
    predict_ = predict_with(&learner->best());
    if (learner->average() != nullptr) without_average_ = predict_with(&learner->model());
    learner_ = std::move(learner);
  }

  train::Learner& learner() override { return *learner_; }

  train::Measured measure() override {
    const Stopwatch watch;
    const bool is_first = !last_.has_value();
    last_ = evaluate(predict_);
    if (is_first) warn_of_unreadable(last_->unreadable, reporter_);
    for (const std::string& note : notes()) reporter_.warn(note);
    train::Measured measured;
    measured.line = {{"test_acc1", last_->top1},
                     {"test_acc5", last_->top5},
                     {"test_loss", last_->loss},
                     {"test_images", last_->images},
                     {"test_seconds", watch.seconds()}};
    measured.metric = eval::Metric{"test_acc1", last_->top1};
    if (without_average_) {
      measured.line["test_acc1_without_average"] = evaluate(without_average_).top1;
    }
    reporter_.info(fmt::format("top-1 {:.2f} %, top-5 {:.2f} %, loss {:.4f} on {}", last_->top1,
                               last_->top5, last_->loss,
                               counted(last_->images, "image", "images")));
    return measured;
  }

  nlohmann::json figures() override {
    if (!last_) measure();
    return {{"top1", last_->top1},
            {"top5", last_->top5},
            {"loss", last_->loss},
            {"images", last_->images}};
  }

  // A note if images have non-finite logits.
  std::vector<std::string> notes() const override {
    if (!last_ || last_->non_finite_count == 0) return {};
    return {
        fmt::format("{} of {} have logits with NaN or infinity; they count as "
                    "wrong, and there is no loss",
                    last_->non_finite_count, counted(last_->images, "image", "images"))};
  }

 private:
  eval::Predict predict_with(const models::Classifier* judged) const {
    return [this, judged](const loader::Batch& batch) {
      return models::logits_of(*judged, batch, recipe_.data,
                               recipe::compute_type(recipe_.model.precision, judged->device()));
    };
  }
  eval::ClassifierAccuracy evaluate(const eval::Predict& predict) const {
    return eval::classifier_accuracy(predict, recipe_, images_, kEvalBatch, threads_, *group_);
  }

  const recipe::Recipe& recipe_;
  std::shared_ptr<const loader::Dataset> images_;
  int64_t threads_;
  std::shared_ptr<dist::Group> group_;
  Reporter& reporter_;
  std::unique_ptr<train::Learner> learner_;
  eval::Predict predict_;
  eval::Predict without_average_;  // uses the weights themselves; set if `predict_` uses the EMA
  std::optional<eval::ClassifierAccuracy> last_;
};

}  // namespace

std::unique_ptr<SupervisedTask> make_classifier_task(const SupervisedTaskRequest& request,
                                                     std::optional<checkpoint::Checkpoint> start,
                                                     Reporter& reporter) {
  models::Classifier model =
      classifier_of(request.run, std::move(start), request.data.train->classes(), reporter);
  return std::make_unique<ClassifierTask>(request, std::move(model), reporter);
}

}  // namespace fcm::tasks
