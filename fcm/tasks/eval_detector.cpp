#include "fcm/tasks/eval_detector.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "fcm/base/counted.h"
#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/base/progress.h"
#include "fcm/eval/coco_results.h"
#include "fcm/image/image.h"
#include "fcm/tasks/data.h"
#include "fcm/tasks/detection_sheets.h"
#include "fcm/tasks/machine.h"
#include "fcm/tasks/nesting.h"
#include "fcm/tasks/ranks.h"
#include "fcm/tasks/result_file.h"
#include "fcm/tasks/run_facts.h"
#include "fcm/tasks/trained_detector.h"

namespace fcm::tasks {
namespace {

void refuse_other_objects(const TrainedDetector& trained, const loader::Dataset& dataset,
                          const EvalRequest& request, Reporter& reporter) {
  const std::string detector = request.checkpoint.path.string();
  const std::vector<std::string> names = printable(dataset.instance_classes().names);
  if (std::ssize(names) != trained.classes()) {
    fail(ExitCode::kData, "{} has objects of {}, but {} was trained on {}", request.data,
         counted(std::ssize(names), "class", "classes"), detector, trained.classes());
  }
  if (!trained.trained_on || trained.trained_on->classes.empty()) {
    reporter.warn(fmt::format(
        "{} does not say which classes it detects; they are assumed to be those of {}, in this "
        "order: {}",
        detector, request.data, class_list(names)));
    return;
  }
  const std::string difference = first_difference(trained.trained_on->classes, names);
  if (difference.empty()) {
    warn_of_unlearnt(request.data, trained.trained_on->objects, dataset.instance_classes(),
                     "the images that " + detector + " was trained on", reporter);
    return;
  }
  fail(ExitCode::kData, "{} has other classes than {} was trained on: {}", request.data, detector,
       difference);
}

// Appends detections in COCO's results format, with the data set's own image and category ids.
void add_entries(std::vector<eval::CocoEntry>& entries, const loader::Dataset& dataset,
                 int64_t index, const std::vector<eval::CocoDetection>& found) {
  const int64_t image = dataset.image_record(index).image;
  for (const eval::CocoDetection& one : found) {
    entries.push_back({image, dataset.instance_classes().ids.at(static_cast<size_t>(one.category)),
                       one.score, one.box, one.mask});
  }
}

}  // namespace

nlohmann::json eval_detector(const EvalRequest& request, checkpoint::Checkpoint checkpoint,
                             int64_t threads, Reporter& reporter) {
  const TrainedDetector trained = load_detector(std::move(checkpoint), request.checkpoint.set,
                                                reporter, device_of(request.machine));
  const auto dataset = open_instances(request.data, loader::Split::kVal, request.machine, reporter);
  refuse_other_objects(trained, *dataset, request, reporter);
  if (!request.out.empty()) refuse_nested(request.out, request.data, *dataset, reporter);
  dist::Group& group = *request.machine.group;
  refuse_different_ranks(group, trained.recipe, request.data, *dataset);
  const auto facts =
      measured_facts(describe_images(*dataset, request.data, loader::Split::kVal, threads),
                     trained.trained_on, trained.pretrained_on, {}, reporter);
  std::vector<eval::CocoEntry> entries;
  Progress progress(reporter, "eval", dataset->size());
  const auto keep = [&](int64_t index, const std::vector<eval::CocoDetection>& found) {
    if (!request.out.empty()) add_entries(entries, *dataset, index, found);
    progress.add(group.size());
  };
  const eval::DetectionAccuracy accuracy = eval::detection_accuracy(
      trained.find, trained.classes(), trained.recipe, dataset, threads, group, keep);
  warn_of_unreadable(accuracy.unreadable, reporter);
  if (std::isnan(accuracy.box.figures.ap)) {
    reporter.warn(fmt::format("{}: no image that was measured has an object, so there is no AP",
                              request.data));
  }
  const std::vector<std::string>& names = dataset->instance_classes().names;
  nlohmann::json result = figures_of(accuracy, names);
  result["image_size"] = trained.recipe.data.image_size;
  result.update(facts);
  replace_non_finite(result, reporter);
  if (request.out.empty()) return result;
  const std::vector<std::string> of_ranks =
      dist::gather_texts(group, eval::coco_results_text(entries));
  if (!group.writes()) return result;
  entries.clear();
  for (const std::string& of_rank : of_ranks) {
    for (eval::CocoEntry& entry : eval::parse_coco_results(of_rank, "what a rank found")) {
      entries.push_back(std::move(entry));
    }
  }
  constexpr int64_t kImages = 8;
  const std::filesystem::path image = request.out / "detection.png",
                              detections = request.out / "detections.json";
  result["pictures"] = image.string();
  result["detections"] = detections.string();
  write_result(request.out, result);
  write_file_durably(detections, eval::coco_results_text(entries), ExitCode::kUsage);
  image::write_png(image, detection_sheet(trained.find, trained.recipe, *dataset, names, kImages,
                                          trained.recipe.row.name));
  return result;
}

}  // namespace fcm::tasks
