// A trained classifier on the validation pictures: accuracy, classes one by one, confusions.
#include <fmt/format.h>

#include <algorithm>

#include "fcm/base/error.h"
#include "fcm/eval/classifier_accuracy.h"
#include "fcm/image/image.h"
#include "fcm/tasks/data.h"
#include "fcm/tasks/machine.h"
#include "fcm/tasks/result_file.h"
#include "fcm/tasks/tasks.h"
#include "fcm/tasks/trained_classifier.h"

namespace fcm::tasks {
namespace {

// Pictures of true class `row` that got answer `column`.
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

// Rows are true classes, columns answers; the darker, the larger the share of the row.
image::Image confusion_picture(const eval::ClassifierAccuracy& evaluation, int64_t classes) {
  constexpr int64_t kCell = 16;
  image::Image picture;
  picture.rows = picture.cols = classes * kCell;
  picture.channels = 1;
  picture.pixels.resize(static_cast<size_t>(picture.rows * picture.cols));
  for (int64_t row = 0; row < classes; ++row) {
    int64_t images = 0;
    for (int64_t column = 0; column < classes; ++column) {
      images += confused(evaluation, classes, row, column);
    }
    for (int64_t column = 0; column < classes; ++column) {
      const int64_t shade =
          255 - 255 * confused(evaluation, classes, row, column) / std::max<int64_t>(images, 1);
      for (int64_t line = 0; line < kCell; ++line) {
        auto* cell = picture.pixels.data() + (row * kCell + line) * picture.cols + column * kCell;
        std::fill_n(cell, kCell, static_cast<uint8_t>(shade));
      }
    }
  }
  return picture;
}

}  // namespace

nlohmann::json eval(const EvalRequest& request, Reporter& reporter) {
  constexpr int64_t kMostClassesDrawn = 100;
  if (!request.out.empty()) refuse_foreign_result(request.out);
  const int64_t threads = set_up_machine(request.machine);
  const TrainedClassifier trained =
      load_classifier(request.checkpoint.path.string(), request.checkpoint.set, reporter,
                      device_of(request.machine));
  const auto dataset = open_labelled(request.data, loader::Split::kVal, request.machine);
  const std::vector<std::string>& names = dataset->classes();
  if (std::ssize(names) != trained.classes) {
    fail(ExitCode::kData, "{} has {} classes, the classifier {} knows {}", request.data,
         names.size(), request.checkpoint.path.string(), trained.classes);
  }
  const eval::ClassifierAccuracy evaluation =
      eval::classifier_accuracy(trained.predict, trained.recipe, dataset, request.batch, threads);
  nlohmann::json result = {{"top1", evaluation.top1},
                           {"top5", evaluation.top5},
                           {"loss", evaluation.loss},
                           {"images", evaluation.images},
                           {"unreadable", evaluation.unreadable},
                           {"image_size", trained.recipe.data.image_size},
                           {"classes", class_table(evaluation, names)}};
  if (request.out.empty()) return result;
  const std::filesystem::path picture = request.out / "confusion.png";
  const bool drawn = trained.classes <= kMostClassesDrawn;
  if (drawn) result["confusion"] = picture.string();
  write_result(request.out, result);
  if (drawn) image::write_png(picture, confusion_picture(evaluation, trained.classes));
  return result;
}

}  // namespace fcm::tasks
