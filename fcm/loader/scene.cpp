#include "fcm/loader/scene.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "fcm/base/counted.h"
#include "fcm/base/error.h"
#include "fcm/base/random.h"
#include "fcm/image/opencv_resize.h"
#include "fcm/loader/transform.h"

namespace fcm::loader {
namespace {

constexpr int64_t kMostClassesOfMaps = kIgnored;  // values 0 .. 254

// Maps values of a file to classes. Subtracting 1 from every value would turn 255, which is
// ignored, into class 254.
std::array<uint8_t, 256> reduced_values(bool reduce_zero_label) {
  std::array<uint8_t, 256> table{};
  for (size_t value = 0; value < table.size(); ++value) {
    const size_t reduced = value == 0 ? kIgnored : value == kIgnored ? kIgnored : value - 1;
    table[value] = static_cast<uint8_t>(reduce_zero_label ? reduced : value);
  }
  return table;
}

using Counts = std::array<int64_t, 256>;

Counts counts_of(std::span<const uint8_t> classes) {
  // Neighbouring pixels mostly have the same class; four tables avoid dependent increments.
  std::array<std::array<int32_t, 256>, 4> parts{};
  size_t i = 0;
  for (; i + 4 <= classes.size(); i += 4) {
    for (size_t k = 0; k < 4; ++k) ++parts[k][classes[i + k]];
  }
  for (; i < classes.size(); ++i) ++parts[0][classes[i]];
  Counts counts{};
  for (size_t value = 0; value < counts.size(); ++value) {
    for (const auto& part : parts) counts[value] += part[value];
  }
  return counts;
}

// Chooses the crop of the resized map and writes its classes to `classes`.
image::Box choose_crop(const ClassMap& map, const image::Resizing& resizing,
                       const SceneOptions& options, const SceneDraws& draws,
                       std::vector<uint8_t>& classes) {
  constexpr int kMostChecks = 10;
  image::Box crop{0, 0, std::min(options.data.image_size[0], resizing.to_rows),
                  std::min(options.data.image_size[1], resizing.to_cols)};
  classes.resize(static_cast<size_t>(crop.rows * crop.cols));
  const double most = options.pipeline.cat_max_ratio;
  for (int check = 0;; ++check) {
    crop.top = draws.draw_offset(resizing.to_rows - crop.rows);
    crop.left = draws.draw_offset(resizing.to_cols - crop.cols);
    image::resize_nearest(resizing, map.classes.data(), crop, classes.data());
    // After kMostChecks rejected crops, the next crop is accepted unchecked.
    if (most >= 1 || check == kMostChecks || shows_enough(classes, most)) return crop;
  }
}

// Reads the crop of the resized image.
image::Image read_crop(const Dataset& dataset, int64_t source, const image::Resizing& resizing,
                       const image::Box& crop, const ClassMap& map) {
  Extent found;
  const auto choose = [&](int64_t rows, int64_t cols) {
    found = {rows, cols};
    const bool fits = rows == map.rows && cols == map.cols;
    return fits ? image::linear_source(resizing, crop) : image::Box{0, 0, 1, 1};
  };
  const image::Section section = dataset.get_section(source, 3, choose);
  check_size_of_map(map, found.rows, found.cols, dataset.name(source));
  image::Image part{crop.rows, crop.cols, 3, {}};
  part.pixels.resize(static_cast<size_t>(crop.rows * crop.cols * 3));
  image::resize_linear(resizing, section.image, section.box, crop, part.pixels.data());
  return part;
}

// Copies rows of `cols` pixels of `group` bytes into wider rows, optionally mirrored, padded with
// `fill`.
void copy_padded_rows(const uint8_t* from, int64_t rows, int64_t cols, int64_t group, bool mirror,
                      Extent room, uint8_t fill, uint8_t* out) {
  for (int64_t row = 0; row < rows; ++row, out += room.cols * group, from += cols * group) {
    std::memcpy(out, from, static_cast<size_t>(cols * group));
    if (mirror) {
      for (int64_t left = 0, right = cols - 1; left < right; ++left, --right) {
        std::swap_ranges(out + left * group, out + (left + 1) * group, out + right * group);
      }
    }
    std::memset(out + cols * group, fill, static_cast<size_t>((room.cols - cols) * group));
  }
  std::memset(out, fill, static_cast<size_t>((room.rows - rows) * room.cols * group));
}

}  // namespace

void check_scene_options(const SceneOptions& options) {
  check_options(options.data);
  const auto need = [](bool holds, const char* what) {
    if (!holds) fail(ExitCode::kUsage, "{}", what);
  };
  need(options.data.channels == 3,
       "data.channels must be 3 (RGB) for segmentation: the pipeline changes colours");
  need(options.data.pad == 0, "data.pad must be 0 for segmentation: small crops are padded");
  const auto& scale = options.pipeline.scale;
  need(scale.size() == 2 && scale[0] > 0 && scale[1] > 0,
       "pipeline.scale needs two positive numbers, for the longer and the shorter side");
  const auto& ratios = options.pipeline.ratio_range;
  need(ratios.size() == 2 && ratios[0] > 0 && ratios[0] <= ratios[1],
       "pipeline.ratio_range needs a smallest and a largest number, in this order");
  if (options.classes < 1 || options.classes > kMostClassesOfMaps) {
    fail(ExitCode::kUsage,
         "there are {} classes, but 8-bit maps have 1 to {}; if the data name none, set "
         "segmenter.classes",
         options.classes, kMostClassesOfMaps);
  }
}

Extent fitted_size(Extent image, std::span<const int64_t> scale) {
  const auto [shorter, longer] = std::minmax(scale[0], scale[1]);
  const auto [low, high] = std::minmax(image.rows, image.cols);
  const double factor = std::min(static_cast<double>(longer) / static_cast<double>(high),
                                 static_cast<double>(shorter) / static_cast<double>(low));
  const auto resized = [factor](int64_t side) {
    return std::max<int64_t>(static_cast<int64_t>(static_cast<double>(side) * factor + 0.5), 1);
  };
  return {resized(image.rows), resized(image.cols)};
}

Extent training_size(Extent image, const PipelineOptions& pipeline, double ratio) {
  std::array<int64_t, 2> scale{};
  for (size_t i = 0; i < scale.size(); ++i) {
    const auto side = static_cast<int64_t>(static_cast<double>(pipeline.scale[i]) * ratio);
    scale[i] = std::max<int64_t>(side, 1);
  }
  return fitted_size(image, scale);
}

bool shows_enough(std::span<const uint8_t> classes, double cat_max_ratio) {
  const Counts counts = counts_of(classes);
  int64_t seen = 0, labelled = 0, most = 0;
  for (size_t value = 0; value < kIgnored; ++value) {
    seen += counts[value] > 0 ? 1 : 0;
    labelled += counts[value];
    most = std::max(most, counts[value]);
  }
  return seen > 1 && static_cast<double>(most) / static_cast<double>(labelled) < cat_max_ratio;
}

SceneDraws draw_scene(const SceneOptions& options, uint64_t seed, uint64_t epoch, uint64_t sample) {
  SceneDraws draws;
  KeyedRandom of_size(seed, Purpose::kCrop, epoch, sample);  // then draws crop positions
  const auto& range = options.pipeline.ratio_range;
  draws.ratio = of_size.uniform_double() * (range[1] - range[0]) + range[0];
  draws.draw_offset = [of_size](int64_t most) mutable {
    return static_cast<int64_t>(of_size.below(static_cast<uint64_t>(most) + 1));
  };
  draws.mirror = draw_mirror(options.data, seed, epoch, sample);
  KeyedRandom of_colours(seed, Purpose::kColourJitter, epoch, sample);
  draws.distortion = draw_distortion(of_colours);
  return draws;
}

void reduce_classes(ClassMap& map, const SceneOptions& options, const std::string& name) {
  const std::array<uint8_t, 256> reduced = reduced_values(options.pipeline.reduce_zero_label);
  const Counts counts = counts_of(map.classes);
  for (size_t value = 0; value < counts.size(); ++value) {
    if (counts[value] == 0 || reduced[value] == kIgnored || reduced[value] < options.classes) {
      continue;
    }
    fail(ExitCode::kData,
         "the map of {} has the value {} ({} pixels), but there {} {}: values are {}, and "
         "{} is ignored (pipeline.reduce_zero_label is {})",
         name, value, counts[value], noun(options.classes, "is", "are"),
         counted(options.classes, "class", "classes"),
         options.pipeline.reduce_zero_label
             ? fmt::format("0 (unlabelled) and 1 to {}", options.classes)
             : fmt::format("0 to {}", options.classes - 1),
         kIgnored, options.pipeline.reduce_zero_label);
  }
  for (uint8_t& value : map.classes) value = reduced[value];
}

ClassMap read_classes(const Dataset& dataset, int64_t index, const SceneOptions& options) {
  ClassMap map = dataset.class_map(index);
  reduce_classes(map, options, dataset.name(index));
  return map;
}

void check_size_of_map(const ClassMap& map, int64_t rows, int64_t cols, const std::string& name) {
  if (map.rows == rows && map.cols == cols) return;
  fail(ExitCode::kData, "{} has {}x{} pixels, its map {}x{}; they belong to different images", name,
       cols, rows, map.cols, map.rows);
}

Extent read_scene_for_training(const Dataset& dataset, int64_t source, const SceneOptions& options,
                               const SceneDraws& draws, uint8_t* pixels, ClassMap& map) {
  const ClassMap whole = read_classes(dataset, source, options);
  const Extent size = training_size({whole.rows, whole.cols}, options.pipeline, draws.ratio);
  const image::Resizing resizing{whole.rows, whole.cols, size.rows, size.cols};
  std::vector<uint8_t> classes;
  const image::Box crop = choose_crop(whole, resizing, options, draws, classes);
  image::Image part = read_crop(dataset, source, resizing, crop, whole);
  if (options.pipeline.photometric) {
    distort(draws.distortion, part.pixels.data(), crop.rows * crop.cols);
  }
  const Extent room{options.data.image_size[0], options.data.image_size[1]};
  copy_padded_rows(part.pixels.data(), crop.rows, crop.cols, 3, draws.mirror, room, 0, pixels);
  map.rows = room.rows;
  map.cols = room.cols;
  map.classes.resize(static_cast<size_t>(room.rows * room.cols));
  copy_padded_rows(classes.data(), crop.rows, crop.cols, 1, draws.mirror, room, kIgnored,
                   map.classes.data());
  return {crop.rows, crop.cols};
}

}  // namespace fcm::loader
