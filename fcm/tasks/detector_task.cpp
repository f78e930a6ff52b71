// Trains and measures a detector.
#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "fcm/base/counted.h"
#include "fcm/base/error.h"
#include "fcm/eval/detection_accuracy.h"
#include "fcm/recipe/setup.h"
#include "fcm/tasks/data.h"
#include "fcm/tasks/detection_sheets.h"
#include "fcm/tasks/machine.h"
#include "fcm/tasks/scene_task.h"
#include "fcm/tasks/trained_detector.h"
#include "fcm/train/learners/detect.h"
#include "fcm/train/meters.h"

namespace fcm::tasks {
namespace {

class DetectorTask final : public SceneTask {
 public:
  DetectorTask(const SupervisedTaskRequest& request, models::Detector model, Reporter& reporter)
      : SceneTask(request, reporter), learner_(std::move(model), recipe_, group_) {}

  train::Learner& learner() override { return learner_; }

  train::Measured measure() override {
    const Stopwatch watch;
    const bool is_first = !last_.has_value();
    last_ = eval::detection_accuracy(find(), learner_.model().options().classes, recipe_, measured_,
                                     threads_, *group_);
    if (is_first) warn_of_unreadable(last_->unreadable, reporter_);
    const auto percent = [](double share) { return std::isnan(share) ? 0 : 100 * share; };
    const eval::CocoFigures &box = last_->box.figures, &mask = last_->mask.figures;
    train::Measured measured;
    measured.line = {{"test_box_ap", percent(box.ap)},     {"test_mask_ap", percent(mask.ap)},
                     {"test_box_ap50", percent(box.ap50)}, {"test_mask_ap50", percent(mask.ap50)},
                     {"test_images", last_->images},       {"test_seconds", watch.seconds()}};
    measured.metric = eval::Metric{"test_box_ap", percent(box.ap)};
    if (is_first && std::isnan(box.ap)) {
      reporter_.warn("the validation images have no objects, so there is nothing to measure");
    }
    reporter_.info(
        fmt::format("box AP {:.2f} %, mask AP {:.2f} % (at IoU .5: {:.2f} %, {:.2f} %) on {}",
                    percent(box.ap), percent(mask.ap), percent(box.ap50), percent(mask.ap50),
                    counted(last_->images, "image", "images")));
    return measured;
  }

  nlohmann::json figures() override {
    if (!last_) measure();
    return figures_of(*last_, names());
  }

 private:
  image::Image sheet(int64_t most, const std::string& title) override {
    return detection_sheet(find(), recipe_, *drawn_, names(), most, title);
  }

  eval::FindObjects find() const { return finder_of(learner_.model(), recipe_); }
  const std::vector<std::string>& names() const { return drawn_->instance_classes().names; }

  train::DetectorLearner learner_;
  std::optional<eval::DetectionAccuracy> last_;
};

}  // namespace

std::unique_ptr<SupervisedTask> make_detector_task(const SupervisedTaskRequest& request,
                                                   std::optional<checkpoint::Checkpoint> start,
                                                   Reporter& reporter) {
  const FinetuneRequest& run = request.run;
  // "decomposed", the form of upstream's ConvMAE-Det, has no batch normalisation.
  if (run.recipe.detect().detector.form != "decomposed") images_of_pass(run, reporter);
  models::Detector model(
      recipe::detector_options(run.recipe,
                               classes_of_objects(run.recipe, *request.data.train, run.data)),
      static_cast<uint64_t>(run.recipe.run.seed), device_of(run.machine));
  if (start) {
    load_detector_start(model, std::move(*start), run.allow_missing, reporter,
                        request.data.train->instance_classes().names);
  }
  return std::make_unique<DetectorTask>(request, std::move(model), reporter);
}

}  // namespace fcm::tasks
