// The command eval: measures a classifier on the validation images (accuracy, figures per class,
// confusion matrix), or calls eval_segmenter or eval_detector.
#include <fmt/format.h>

#include <algorithm>

#include "fcm/base/error.h"
#include "fcm/base/progress.h"
#include "fcm/eval/classifier_accuracy.h"
#include "fcm/image/image.h"
#include "fcm/interop/downstream.h"
#include "fcm/interop/load_any.h"
#include "fcm/tasks/class_match.h"
#include "fcm/tasks/data.h"
#include "fcm/tasks/eval_detector.h"
#include "fcm/tasks/eval_segmenter.h"
#include "fcm/tasks/machine.h"
#include "fcm/tasks/nesting.h"
#include "fcm/tasks/ranks.h"
#include "fcm/tasks/result_file.h"
#include "fcm/tasks/run_facts.h"
#include "fcm/tasks/tasks.h"
#include "fcm/tasks/trained_classifier.h"

namespace fcm::tasks {
namespace {

// Images of true class `row` that were classified as `column`.
int64_t confused(const eval::ClassifierAccuracy& evaluation, int64_t classes, int64_t row,
                 int64_t column) {
  return evaluation.confusion[static_cast<size_t>(row * classes + column)];
}

nlohmann::json class_table(const eval::ClassifierAccuracy& evaluation,
                           const std::vector<std::string>& names) {
  const auto classes = std::ssize(names);
  nlohmann::json table = nlohmann::json::array();
  for (int64_t row = 0; row < classes; ++row) {
    int64_t images = 0;
    for (int64_t column = 0; column < classes; ++column) {
      images += confused(evaluation, classes, row, column);
    }
    const auto right = static_cast<double>(confused(evaluation, classes, row, row));
    nlohmann::json line = {{"class", names[static_cast<size_t>(row)]}, {"images", images}};
    if (images > 0) line["top1"] = 100 * right / static_cast<double>(images);
    table.push_back(line);
  }
  return table;
}

// Draws the confusion matrix: rows are true classes, columns are predicted classes, and a darker
// cell is a larger fraction of its row.
image::Image confusion_image(const eval::ClassifierAccuracy& evaluation, int64_t classes) {
  constexpr int64_t kCell = 16;
  image::Image image;
  image.rows = image.cols = classes * kCell;
  image.channels = 1;
  image.pixels.resize(static_cast<size_t>(image.rows * image.cols));
  for (int64_t row = 0; row < classes; ++row) {
    int64_t images = 0;
    for (int64_t column = 0; column < classes; ++column) {
      images += confused(evaluation, classes, row, column);
    }
    for (int64_t column = 0; column < classes; ++column) {
      const int64_t shade =
          255 - 255 * confused(evaluation, classes, row, column) / std::max<int64_t>(images, 1);
      for (int64_t line = 0; line < kCell; ++line) {
        auto* cell = image.pixels.data() + (row * kCell + line) * image.cols + column * kCell;
        std::fill_n(cell, kCell, static_cast<uint8_t>(shade));
      }
    }
  }
  return image;
}

// The data set with matched classes, and the facts about data sets for the result.
struct Provenance {
  std::shared_ptr<const loader::Dataset> dataset;  // its labels are the classifier's class indices
  nlohmann::json facts;
};

Provenance provenance_of(const TrainedClassifier& trained,
                         const std::shared_ptr<const loader::Dataset>& dataset,
                         const EvalRequest& request, int64_t threads, Reporter& reporter) {
  TrainedClasses known;
  if (trained.trained_on) {
    known = {trained.trained_on->classes, trained.trained_on->only_numbered};
  }
  ClassMatch match = match_classes(known, trained.classes, dataset, request.data,
                                   request.checkpoint.path.string());
  const ImageSet measured = describe_images(*dataset, request.data, loader::Split::kVal, threads);
  return {std::move(match.dataset),
          measured_facts(measured, trained.trained_on, trained.pretrained_on,
                         std::move(match.notes), reporter)};
}

}  // namespace

nlohmann::json eval(const EvalRequest& request, Reporter& reporter) {
  constexpr int64_t kMostClassesDrawn = 100;
  if (!request.out.empty()) refuse_foreign_result(request.out);
  const int64_t threads = set_up_machine(request.machine);
  checkpoint::Checkpoint checkpoint = interop::load_any(request.checkpoint.path, false, reporter);
  const interop::Downstream downstream = interop::downstream_of(checkpoint);
  if (downstream != interop::Downstream::kNone) {
    const auto measure =
        downstream == interop::Downstream::kSegmenter ? eval_segmenter : eval_detector;
    return measure(request, std::move(checkpoint), threads, reporter);
  }
  const TrainedClassifier trained = load_classifier(std::move(checkpoint), request.checkpoint.set,
                                                    reporter, device_of(request.machine));
  const auto dataset = open_labelled(request.data, loader::Split::kVal, request.machine, reporter);
  if (!request.out.empty()) refuse_nested(request.out, request.data, *dataset, reporter);
  const std::string classifier = request.checkpoint.path.string();
  const Provenance provenance = provenance_of(trained, dataset, request, threads, reporter);
  dist::Group& group = *request.machine.group;
  refuse_different_ranks(group, trained.recipe, request.data, *dataset);
  Progress progress(reporter, "eval", provenance.dataset->size());
  const eval::Predict predict = [&](const loader::Batch& batch) {
    at::Tensor logits_BC = trained.predict(batch);
    progress.add(batch.batch * group.size());
    return logits_BC;
  };
  const eval::ClassifierAccuracy evaluation = eval::classifier_accuracy(
      predict, trained.recipe, provenance.dataset, request.batch, threads, group);
  warn_of_unreadable(evaluation.unreadable, reporter);
  if (evaluation.non_finite_count > 0) {
    fail(ExitCode::kNumeric,
         "{} has logits with NaN or infinity for {} of {} images, so accuracy is meaningless; "
         "check its weights, or try --set model.precision=fp32",
         classifier, evaluation.non_finite_count, evaluation.images);
  }
  nlohmann::json result = {{"top1", evaluation.top1},
                           {"top5", evaluation.top5},
                           {"loss", evaluation.loss},
                           {"images", evaluation.images},
                           {"unreadable", evaluation.unreadable.size()},
                           {"image_size", trained.recipe.data.image_size},
                           {"classes", class_table(evaluation, provenance.dataset->classes())}};
  result.update(provenance.facts);
  if (request.out.empty() || !group.writes()) return result;
  const std::filesystem::path image = request.out / "confusion.png";
  const bool drawn = trained.classes <= kMostClassesDrawn;
  if (drawn) result["confusion"] = image.string();
  write_result(request.out, result);
  if (drawn) image::write_png(image, confusion_image(evaluation, trained.classes));
  return result;
}

}  // namespace fcm::tasks
