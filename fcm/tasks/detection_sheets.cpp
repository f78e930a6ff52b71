#include "fcm/tasks/detection_sheets.h"

#include <algorithm>
#include <utility>

#include "fcm/base/counted.h"
#include "fcm/base/error.h"
#include "fcm/loader/frame_testing.h"
#include "fcm/ops/reference_ops.h"

namespace fcm::tasks {

int64_t classes_of_objects(const recipe::Recipe& recipe, const loader::Dataset& dataset,
                           const std::string& data) {
  const int64_t wanted = recipe.detect().detector.classes;
  const auto named = std::ssize(dataset.instance_classes().names);
  if (wanted != 0 && wanted != named) {
    fail(ExitCode::kData, "{} has objects of {}, but the recipe has detector.classes = {}", data,
         counted(named, "class", "classes"), wanted);
  }
  return named;
}

nlohmann::json figures_of(const eval::DetectionAccuracy& accuracy,
                          const std::vector<std::string>& names) {
  nlohmann::json classes = nlohmann::json::array();
  const auto percent = [](const eval::CocoFigures& figures) {
    return eval::coco_percents(figures).at("AP");  // null if the class has no labelled objects
  };
  for (size_t i = 0; i < names.size(); ++i) {
    classes.push_back({{"class", names[i]},
                       {"box", percent(accuracy.box.categories[i])},
                       {"mask", percent(accuracy.mask.categories[i])}});
  }
  return {{"box", eval::coco_percents(accuracy.box.figures)},
          {"mask", eval::coco_percents(accuracy.mask.figures)},
          {"images", accuracy.images},
          {"unreadable", accuracy.unreadable.size()},
          {"classes", std::move(classes)}};
}

std::vector<viz::ShownObject> shown_objects(const std::vector<eval::CocoDetection>& found,
                                            const std::vector<std::string>& names) {
  std::vector<viz::ShownObject> shown;
  for (const eval::CocoDetection& one : found) {
    if (one.score < kDrawnScore) continue;
    const auto& [left, top, width, height] = one.box;
    shown.push_back({{left, top, left + width, top + height},
                     one.mask,
                     names.at(static_cast<size_t>(one.category)),
                     one.score});
  }
  return shown;
}

namespace {

std::vector<viz::ShownObject> labelled_objects(const loader::Instances& labelled,
                                               const std::vector<std::string>& names) {
  std::vector<viz::ShownObject> shown;
  for (const loader::Instance& one : labelled.instances) {
    std::string name = names.at(static_cast<size_t>(one.class_number));
    if (one.crowd) name += " (crowd)";
    shown.push_back({one.box, loader::mask_of(one, labelled.rows, labelled.cols), std::move(name),
                     std::nullopt});
  }
  return shown;
}

}  // namespace

image::Image detection_sheet(const eval::FindObjects& find, const recipe::Recipe& recipe,
                             const loader::Dataset& dataset, const std::vector<std::string>& names,
                             int64_t most, const std::string& title) {
  const ops::ReferenceOps reference(recipe.debug.reference_ops);
  std::vector<viz::ObjectRow> rows;
  for (int64_t i = 0; i < dataset.size() && std::ssize(rows) < most; ++i) {
    try {
      const loader::TestFrame frame =
          loader::read_frame_for_testing(dataset, i, eval::frame_options(recipe));
      rows.push_back(
          {dataset.get(i, 3), labelled_objects(dataset.instances(i), names),
           shown_objects(eval::objects_in_frame(find, frame.frame, frame.image), names)});
    } catch (const Error& error) {  // skips an unreadable image, which the measurement reports
      if (error.code() != ExitCode::kData) throw;
    }
  }
  if (rows.empty()) fail(ExitCode::kData, "no image is readable, so there is none to draw");
  return viz::object_sheet(rows, title);
}

}  // namespace fcm::tasks
