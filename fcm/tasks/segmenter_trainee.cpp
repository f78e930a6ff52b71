// Training a segmenter.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/eval/segmentation_accuracy.h"
#include "fcm/loader/until_stopped.h"
#include "fcm/models/inputs.h"
#include "fcm/recipe/setup.h"
#include "fcm/tasks/data.h"
#include "fcm/tasks/machine.h"
#include "fcm/tasks/run_files.h"
#include "fcm/tasks/segmentation_pictures.h"
#include "fcm/tasks/trained_segmenter.h"
#include "fcm/tasks/trainee.h"
#include "fcm/train/learners/passes.h"
#include "fcm/train/learners/segment.h"
#include "fcm/train/meters.h"

namespace fcm::tasks {
namespace {

class SegmenterTrainee final : public Trainee {
 public:
  SegmenterTrainee(const TraineeRequest& request, models::Segmenter model, Reporter& reporter)
      : recipe_(request.run.recipe),
        out_(request.run.out),
        stop_(request.stop_measuring),
        drawn_(request.data.val),
        pictures_(loader::until_stopped(request.data.val, request.stop_measuring)),
        threads_(request.threads),
        group_(request.run.machine.group),
        reporter_(reporter),
        learner_(std::move(model), recipe_, group_) {}

  train::Learner& learner() override { return learner_; }

  train::Measured measure() override {
    const Stopwatch watch;
    const bool is_first = !last_.has_value();
    last_ = eval::segmentation_accuracy(logits(), classes(), recipe_, pictures_, threads_, *group_);
    if (is_first) warn_of_unreadable(last_->unreadable, reporter_);
    const eval::MeanIou& figures = last_->figures;
    train::Measured measured;
    measured.line = {{"test_miou", figures.miou},
                     {"test_macc", figures.macc},
                     {"test_aacc", figures.aacc},
                     {"test_images", last_->images},
                     {"test_seconds", watch.seconds()}};
    measured.metric = eval::Metric{"test_miou", figures.miou};
    reporter_.info(fmt::format("mIoU {:.2f} %, mAcc {:.2f} %, aAcc {:.2f} % on {} pictures",
                               figures.miou, figures.macc, figures.aacc, last_->images));
    return measured;
  }

  nlohmann::json figures() override {
    if (!last_) measure();
    return figures_of(*last_, class_names(pictures_->map_classes().names, classes()));
  }

  std::vector<std::string> notes() const override { return {}; }

  // Nothing for whoever waits for the end: large pictures take their time.
  void draw(int64_t step) override {
    constexpr int64_t kPictures = 4;
    if (stop_ != nullptr && *stop_) return;
    image::write_png(out_ / "pictures" / picture_name(step),
                     segmentation_sheet(logits(), classes(), recipe_, *drawn_, kPictures,
                                        fmt::format("{}, step {}", recipe_.row.name, step)));
  }

 private:
  int64_t classes() const { return learner_.model().options().classes; }
  eval::WindowLogits logits() const {
    return [this, compute = recipe::compute_type(recipe_.model.precision, learner_.device())](
               const at::Tensor& windows_NHWC) {
      return models::logits_of(learner_.model(), windows_NHWC, compute);
    };
  }

  const recipe::Recipe& recipe_;
  std::filesystem::path out_;
  const std::atomic<bool>* stop_;
  std::shared_ptr<const loader::Dataset> drawn_;
  std::shared_ptr<const loader::Dataset> pictures_;  // measured; gives up where somebody stops
  int64_t threads_;
  std::shared_ptr<dist::Group> group_;
  Reporter& reporter_;
  train::SegmenterLearner learner_;
  std::optional<eval::SegmentationAccuracy> last_;
};

// One picture in all processes, pooled to one value a channel, has no variance.
void refuse_lone_pictures(const recipe::Recipe& recipe, const dist::Group& group) {
  const auto& optim = recipe.optim;
  if (group.size() > 1) return;
  const int64_t micro_batch = optim.micro_batch == 0 ? optim.batch_size : optim.micro_batch;
  const int64_t passes = train::passes_of_update(optim.batch_size, 1, micro_batch);
  if (optim.batch_size / passes >= 2) return;
  fail(ExitCode::kUsage,
       "optim.batch_size = {} and optim.micro_batch = {} make a pass of one picture, and a "
       "segmenter's batch normalisation takes its statistics from two or more, of all processes "
       "together; raise optim.batch_size, or write optim.micro_batch = 0",
       optim.batch_size, optim.micro_batch);
}

}  // namespace

std::unique_ptr<Trainee> make_segmenter_trainee(const TraineeRequest& request,
                                                std::optional<checkpoint::Checkpoint> start,
                                                Reporter& reporter) {
  const FinetuneRequest& run = request.run;
  refuse_lone_pictures(run.recipe, *run.machine.group);
  const std::vector<std::string>& names = request.data.train->map_classes().names;
  models::Segmenter model(
      recipe::segmenter_options(run.recipe,
                                classes_of_maps(run.recipe, *request.data.train, run.data)),
      static_cast<uint64_t>(run.recipe.run.seed), device_of(run.machine));
  if (start) {
    load_segmenter_start(model, std::move(*start), run.allow_missing, reporter, names);
  }
  return std::make_unique<SegmenterTrainee>(request, std::move(model), reporter);
}

}  // namespace fcm::tasks
