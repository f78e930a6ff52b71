// Trains and measures a segmenter.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "fcm/base/counted.h"
#include "fcm/base/error.h"
#include "fcm/eval/segmentation_accuracy.h"
#include "fcm/models/inputs.h"
#include "fcm/recipe/setup.h"
#include "fcm/tasks/data.h"
#include "fcm/tasks/machine.h"
#include "fcm/tasks/scene_task.h"
#include "fcm/tasks/segmentation_sheets.h"
#include "fcm/tasks/trained_segmenter.h"
#include "fcm/train/learners/segment.h"
#include "fcm/train/meters.h"

namespace fcm::tasks {
namespace {

class SegmenterTask final : public SceneTask {
 public:
  SegmenterTask(const SupervisedTaskRequest& request, models::Segmenter model, Reporter& reporter)
      : SceneTask(request, reporter), learner_(std::move(model), recipe_, group_) {}

  train::Learner& learner() override { return learner_; }

  train::Measured measure() override {
    const Stopwatch watch;
    const bool is_first = !last_.has_value();
    last_ = eval::segmentation_accuracy(logits(), classes(), recipe_, measured_, threads_, *group_);
    if (is_first) warn_of_unreadable(last_->unreadable, reporter_);
    eval::MeanIou figures = last_->figures;
    if (std::isnan(figures.miou)) {  // checkpoints and logs hold only finite values
      if (is_first) {
        reporter_.warn("no pixel of the validation maps has a class: there is nothing to measure");
      }
      figures.miou = figures.macc = figures.aacc = 0;
    }
    train::Measured measured;
    measured.line = {{"test_miou", figures.miou},
                     {"test_macc", figures.macc},
                     {"test_aacc", figures.aacc},
                     {"test_images", last_->images},
                     {"test_seconds", watch.seconds()}};
    measured.metric = eval::Metric{"test_miou", figures.miou};
    reporter_.info(fmt::format("mIoU {:.2f} %, mAcc {:.2f} %, aAcc {:.2f} % on {}", figures.miou,
                               figures.macc, figures.aacc,
                               counted(last_->images, "image", "images")));
    return measured;
  }

  nlohmann::json figures() override {
    if (!last_) measure();
    return figures_of(*last_, class_names(measured_->map_classes().names, classes()));
  }

 private:
  image::Image sheet(int64_t most, const std::string& title) override {
    return segmentation_sheet(logits(), classes(), recipe_, *drawn_, most, title);
  }

  int64_t classes() const { return learner_.model().options().classes; }
  eval::WindowLogits logits() const {
    return [this, compute = recipe::compute_type(recipe_.model.precision, learner_.device())](
               const at::Tensor& windows_NHWC) {
      return models::logits_of(learner_.model(), windows_NHWC, compute);
    };
  }

  train::SegmenterLearner learner_;
  std::optional<eval::SegmentationAccuracy> last_;
};

// Throws Error(kUsage) if a pass has one image over all processes: pooled to one value per channel,
// a single image has no variance for batch normalisation.
void refuse_lone_images(const FinetuneRequest& run, Reporter& reporter) {
  if (images_of_pass(run, reporter) >= 2 || run.machine.group->size() > 1) return;
  const auto& optim = run.recipe.optim;
  fail(ExitCode::kUsage,
       "optim.batch_size = {} and optim.micro_batch = {} make a pass of one image, and a "
       "segmenter's batch normalisation needs two or more, over all processes "
       "together; raise optim.batch_size, or write optim.micro_batch = 0",
       optim.batch_size, optim.micro_batch);
}

}  // namespace

std::unique_ptr<SupervisedTask> make_segmenter_task(const SupervisedTaskRequest& request,
                                                    std::optional<checkpoint::Checkpoint> start,
                                                    Reporter& reporter) {
  const FinetuneRequest& run = request.run;
  refuse_lone_images(run, reporter);
  refuse_maps_without_classes(run.recipe, *request.data.train, run.data);
  const std::vector<std::string>& names = request.data.train->map_classes().names;
  models::Segmenter model(
      recipe::segmenter_options(run.recipe,
                                classes_of_maps(run.recipe, *request.data.train, run.data)),
      static_cast<uint64_t>(run.recipe.run.seed), device_of(run.machine));
  if (start) {
    load_segmenter_start(model, std::move(*start), run.allow_missing, reporter, names);
  }
  return std::make_unique<SegmenterTask>(request, std::move(model), reporter);
}

}  // namespace fcm::tasks
