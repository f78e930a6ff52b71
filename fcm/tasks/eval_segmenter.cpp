#include "fcm/tasks/eval_segmenter.h"

#include <fmt/format.h>

#include <utility>

#include "fcm/base/counted.h"
#include "fcm/base/error.h"
#include "fcm/base/progress.h"
#include "fcm/image/image.h"
#include "fcm/tasks/data.h"
#include "fcm/tasks/machine.h"
#include "fcm/tasks/nesting.h"
#include "fcm/tasks/ranks.h"
#include "fcm/tasks/result_file.h"
#include "fcm/tasks/run_facts.h"
#include "fcm/tasks/segmentation_sheets.h"
#include "fcm/tasks/trained_segmenter.h"

namespace fcm::tasks {
namespace {

// Throws Error(kData) if the data set and the segmenter have different classes. The pixels of a map
// are class indices, so index i must mean the same class in both. This is checked by the class
// names if both have them; without names, only too many classes are refused.
void refuse_other_classes(const TrainedSegmenter& trained, const loader::Dataset& dataset,
                          const EvalRequest& request) {
  const std::string segmenter = request.checkpoint.path.string();
  const std::vector<std::string> names = printable(dataset.map_classes().names);
  if (std::ssize(names) > trained.classes()) {
    fail(ExitCode::kData, "{} names {}, but {} was trained on {}", request.data,
         counted(std::ssize(names), "class", "classes"), segmenter, trained.classes());
  }
  if (names.empty() || !trained.trained_on || trained.trained_on->classes.empty()) return;
  const std::string difference = first_difference(trained.trained_on->classes, names);
  if (difference.empty()) return;
  fail(ExitCode::kData, "{} has other classes than {} was trained on: {}", request.data, segmenter,
       difference);
}

}  // namespace

nlohmann::json eval_segmenter(const EvalRequest& request, checkpoint::Checkpoint checkpoint,
                              int64_t threads, Reporter& reporter) {
  const TrainedSegmenter trained = load_segmenter(std::move(checkpoint), request.checkpoint.set,
                                                  reporter, device_of(request.machine));
  const auto dataset = open_mapped(request.data, loader::Split::kVal, request.machine, reporter);
  refuse_other_classes(trained, *dataset, request);
  if (!request.out.empty()) refuse_nested(request.out, request.data, *dataset, reporter);
  dist::Group& group = *request.machine.group;
  refuse_different_ranks(group, trained.recipe, request.data, *dataset);
  const auto facts =
      measured_facts(describe_images(*dataset, request.data, loader::Split::kVal, threads),
                     trained.trained_on, trained.pretrained_on, {}, reporter);
  Progress progress(reporter, "eval", dataset->size());
  const auto count = [&](int64_t, const image::Image&, const loader::ClassMap&, const at::Tensor&) {
    progress.add(group.size());
  };
  const eval::SegmentationAccuracy accuracy = eval::segmentation_accuracy(
      trained.logits, trained.classes(), trained.recipe, dataset, threads, group, count);
  warn_of_unreadable(accuracy.unreadable, reporter);
  std::vector<std::string> names = dataset->map_classes().names;
  if (names.empty() && trained.trained_on) names = trained.trained_on->classes;
  nlohmann::json result = figures_of(accuracy, class_names(names, trained.classes()));
  result["image_size"] = trained.recipe.data.image_size;
  result.update(facts);
  replace_non_finite(result, reporter);
  if (request.out.empty() || !group.writes()) return result;
  constexpr int64_t kImages = 8;
  const std::filesystem::path image = request.out / "segmentation.png";
  result["pictures"] = image.string();
  write_result(request.out, result);
  image::write_png(image, segmentation_sheet(trained.logits, trained.classes(), trained.recipe,
                                             *dataset, kImages, trained.recipe.row.name));
  return result;
}

}  // namespace fcm::tasks
