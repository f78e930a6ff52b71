#include "fcm/tasks/segmentation_sheets.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "fcm/base/counted.h"
#include "fcm/base/error.h"
#include "fcm/loader/scene_testing.h"
#include "fcm/ops/reference_ops.h"
#include "fcm/viz/segmentation_sheet.h"

namespace fcm::tasks {

int64_t classes_of_maps(const recipe::Recipe& recipe, const loader::Dataset& dataset,
                        const std::string& data) {
  const int64_t wanted = recipe.segment().segmenter.classes;
  const auto named = std::ssize(dataset.map_classes().names);
  if (wanted == 0 && named == 0) {
    fail(ExitCode::kUsage,
         "{} does not name the classes of its maps; say how many there are with --set "
         "segmenter.classes=N, or put a line for each into {}/classes.txt",
         data, data);
  }
  if (wanted != 0 && wanted < named) {
    fail(ExitCode::kData, "{} names {}, but the recipe has segmenter.classes = {}", data,
         counted(named, "class", "classes"), wanted);
  }
  return wanted == 0 ? named : wanted;
}

void refuse_maps_without_classes(const recipe::Recipe& recipe, const loader::Dataset& dataset,
                                 const std::string& data) {
  constexpr int64_t kSample = 32;
  const bool zero_is_none = recipe.segment().pipeline.reduce_zero_label;
  const int64_t count = std::min(kSample, dataset.size());
  int64_t sampled = 0;
  for (int64_t i = 0; i < count; ++i) {
    try {
      const loader::ClassMap map = dataset.class_map(i * dataset.size() / count);
      ++sampled;
      const auto has_class = [&](uint8_t value) {
        return value != loader::kIgnored && !(zero_is_none && value == 0);
      };
      if (std::ranges::any_of(map.classes, has_class)) return;
    } catch (const Error& error) {  // skips an unreadable map, which the loader reports
      if (error.code() != ExitCode::kData) throw;
    }
  }
  if (sampled == 0) return;
  fail(ExitCode::kData,
       "{}: no pixel of {} training maps has a class: all are {}255, which mean{} no class; "
       "classes are numbered from {} (pipeline.reduce_zero_label = {})",
       data, sampled, zero_is_none ? "0 or " : "", zero_is_none ? "" : "s", zero_is_none ? 1 : 0,
       zero_is_none);
}

std::vector<std::string> class_names(const std::vector<std::string>& names, int64_t classes) {
  std::vector<std::string> all = names;
  for (int64_t i = std::ssize(names); i < classes; ++i) all.push_back(fmt::format("class {}", i));
  return all;
}

namespace {

std::vector<viz::Colour> one_a_class(const std::vector<viz::Colour>& given, int64_t classes) {
  return std::ssize(given) >= classes ? given : std::vector<viz::Colour>{};
}

}  // namespace

std::vector<viz::Colour> class_colours_of(const std::optional<ImageSet>& trained_on,
                                          int64_t classes) {
  return trained_on ? one_a_class(trained_on->colours, classes) : std::vector<viz::Colour>{};
}

nlohmann::json figures_of(const eval::SegmentationAccuracy& accuracy,
                          const std::vector<std::string>& names) {
  const eval::MeanIou& figures = accuracy.figures;
  return {{"mIoU", figures.miou},
          {"mAcc", figures.macc},
          {"aAcc", figures.aacc},
          {"images", accuracy.images},
          {"unreadable", accuracy.unreadable.size()},
          {"classes", eval::class_lines(figures, names)}};
}

image::Image map_image(const at::Tensor& classes_HW) {
  const at::Tensor bytes = classes_HW.contiguous();
  const auto* first = bytes.const_data_ptr<uint8_t>();
  return {bytes.size(0), bytes.size(1), 1, {first, first + bytes.numel()}};
}

namespace {

// A label map resized to rows x cols, by nearest neighbour.
image::Image fitted_map(const loader::ClassMap& map, int64_t rows, int64_t cols) {
  image::Image fitted{rows, cols, 1, {}};
  fitted.pixels.resize(static_cast<size_t>(rows * cols));
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t col = 0; col < cols; ++col) {
      fitted.pixels[static_cast<size_t>(row * cols + col)] = map.classes[static_cast<size_t>(
          row * map.rows / rows * map.cols + col * map.cols / cols)];
    }
  }
  return fitted;
}

}  // namespace

image::Image segmentation_sheet(const eval::WindowLogits& logits, int64_t classes,
                                const recipe::Recipe& recipe, const loader::Dataset& dataset,
                                int64_t most, const std::string& title) {
  const ops::ReferenceOps reference(recipe.debug.reference_ops);
  const loader::SceneOptions options{recipe.data, recipe.segment().pipeline, classes};
  std::vector<viz::SegmentationRow> rows;
  for (int64_t i = 0; i < dataset.size() && std::ssize(rows) < most; ++i) {
    try {
      const loader::TestScene scene = loader::read_scene_for_testing(dataset, i, options);
      const int64_t height = scene.image.rows, width = scene.image.cols;
      const at::Tensor predicted =
          eval::classes_of_scene(logits, recipe, scene.image, height, width);
      rows.push_back({scene.image, fitted_map(scene.map, height, width), map_image(predicted)});
    } catch (const Error& error) {  // skips an unreadable image, which the measurement reports
      if (error.code() != ExitCode::kData) throw;
    }
  }
  if (rows.empty()) fail(ExitCode::kData, "no image is readable, so there is none to draw");
  const loader::MapClasses& known = dataset.map_classes();
  return viz::segmentation_sheet(rows, class_names(known.names, classes),
                                 one_a_class(known.colours, classes), title);
}

}  // namespace fcm::tasks
