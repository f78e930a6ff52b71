#include "fcm/loader/transform.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "fcm/base/error.h"
#include "fcm/base/random.h"
#include "fcm/image/resize_window.h"
#include "fcm/loader/loader.h"

namespace fcm::loader {
namespace {

image::Image padded(image::Image image, int64_t pad) {
  if (pad == 0) return image;
  image::Image larger{image.rows + 2 * pad, image.cols + 2 * pad, image.channels, {}};
  const auto from = static_cast<size_t>(image.cols * image.channels);
  const auto to = static_cast<size_t>(larger.cols * larger.channels);
  larger.pixels.resize(static_cast<size_t>(larger.rows) * to);
  uint8_t* const corner =
      larger.pixels.data() + static_cast<size_t>(pad) * to + pad * image.channels;
  for (size_t row = 0; row < static_cast<size_t>(image.rows); ++row) {
    std::memcpy(corner + row * to, image.pixels.data() + row * from, from);
  }
  return larger;
}

// Rounds half to even, as Python does.
int64_t rounded(double value) { return static_cast<int64_t>(std::nearbyint(value)); }

// The whole image, or its centre if its aspect ratio is outside the allowed range.
image::Box central_box(int64_t rows, int64_t cols, double low, double high) {
  image::Box box{0, 0, rows, cols};
  const double ratio = static_cast<double>(cols) / static_cast<double>(rows);
  if (ratio < low) box.rows = rounded(static_cast<double>(cols) / low);
  if (ratio > high) box.cols = rounded(static_cast<double>(rows) * high);
  // Rounding could give 0 for an image that is one pixel wide.
  box.rows = std::clamp<int64_t>(box.rows, 1, rows);
  box.cols = std::clamp<int64_t>(box.cols, 1, cols);
  box.top = (rows - box.rows) / 2;
  box.left = (cols - box.cols) / 2;
  return box;
}

// Sides of a box with a random share of the area and a random ratio; they may exceed the image's.
struct Sides {
  int64_t width, height;
};
Sides draw_sides(KeyedRandom& random, int64_t rows, int64_t cols, const DataOptions& options) {
  const auto between = [&random](double from, double to) {
    return from + (to - from) * random.uniform_double();
  };
  const double target =
      static_cast<double>(rows * cols) * between(options.crop_scale[0], options.crop_scale[1]);
  const double ratio =
      std::exp(between(std::log(options.crop_ratio[0]), std::log(options.crop_ratio[1])));
  return {rounded(std::sqrt(target * ratio)), rounded(std::sqrt(target / ratio))};
}

image::Box draw_place(KeyedRandom& random, int64_t rows, int64_t cols, Sides sides) {
  const auto top =
      static_cast<int64_t>(random.below(static_cast<uint64_t>(rows - sides.height + 1)));
  const auto left =
      static_cast<int64_t>(random.below(static_cast<uint64_t>(cols - sides.width + 1)));
  return {top, left, sides.height, sides.width};
}

}  // namespace

bool draw_mirror(const DataOptions& options, uint64_t seed, uint64_t epoch, uint64_t sample) {
  return KeyedRandom(seed, Purpose::kFlip, epoch, sample).uniform() < options.flip;
}

image::Interpolation interpolation_of(const DataOptions& options) {
  return options.interpolation == "bilinear" ? image::Interpolation::kBilinear
                                             : image::Interpolation::kBicubic;
}

void check_options(const DataOptions& options) {
  const auto need = [](bool holds, const char* what) {
    if (!holds) fail(ExitCode::kUsage, "data.{}", what);
  };
  const auto ordered = [](const std::vector<double>& pair) {
    return pair.size() == 2 && pair[0] > 0 && pair[0] <= pair[1];
  };
  need(options.image_size.size() == 2 && options.image_size[0] > 0 && options.image_size[1] > 0,
       "image_size needs two positive numbers, rows and columns");
  need(options.channels == 1 || options.channels == 3, "channels must be 1 (grey) or 3 (RGB)");
  need(ordered(options.crop_scale) && options.crop_scale[1] <= 1,
       "crop_scale needs a smallest and a largest share of at most 1, in this order");
  need(ordered(options.crop_ratio),
       "crop_ratio needs a smallest and a largest ratio, in this order");
  need(options.pad >= 0, "pad must not be negative");
  need(options.interpolation == "bicubic" || options.interpolation == "bilinear",
       "interpolation must be \"bicubic\" or \"bilinear\"");
}

Crop random_crop(int64_t rows, int64_t cols, const DataOptions& options, uint64_t seed,
                 uint64_t epoch, uint64_t sample) {
  Crop crop;
  crop.mirror = draw_mirror(options, seed, epoch, sample);
  KeyedRandom random(seed, Purpose::kCrop, epoch, sample);
  for (int attempt = 0; attempt < 10; ++attempt) {
    const Sides sides = draw_sides(random, rows, cols, options);
    const bool fits =
        sides.width >= 1 && sides.width <= cols && sides.height >= 1 && sides.height <= rows;
    if (!fits) continue;
    crop.box = draw_place(random, rows, cols, sides);
    return crop;
  }
  crop.box = central_box(rows, cols, options.crop_ratio[0], options.crop_ratio[1]);
  return crop;
}

Crop cut_crop(int64_t rows, int64_t cols, const DataOptions& options, uint64_t seed, uint64_t epoch,
              uint64_t sample) {
  KeyedRandom random(seed, Purpose::kCrop, epoch, sample);
  Sides sides = draw_sides(random, rows, cols, options);
  sides.width = std::clamp<int64_t>(sides.width, 1, cols);
  sides.height = std::clamp<int64_t>(sides.height, 1, rows);
  return {draw_place(random, rows, cols, sides), draw_mirror(options, seed, epoch, sample)};
}

void crop_for_training(image::Image image, const DataOptions& options, uint64_t seed,
                       uint64_t epoch, uint64_t sample, uint8_t* out, bool once) {
  image = padded(std::move(image), options.pad);
  const Crop crop =
      (once ? cut_crop : random_crop)(image.rows, image.cols, options, seed, epoch, sample);
  image::crop_resize(image, crop.box, options.image_size[0], options.image_size[1],
                     interpolation_of(options), crop.mirror, out);
}

void read_for_training(const Dataset& dataset, int64_t source, const DataOptions& options,
                       uint64_t seed, uint64_t epoch, uint64_t sample, uint8_t* out, bool once) {
  if (options.pad > 0) {
    return crop_for_training(dataset.get(source, options.channels), options, seed, epoch, sample,
                             out, once);
  }
  bool mirror = false;
  const auto choose = [&](int64_t rows, int64_t cols) {
    const Crop crop = (once ? cut_crop : random_crop)(rows, cols, options, seed, epoch, sample);
    mirror = crop.mirror;
    return crop.box;
  };
  const image::Section section = dataset.get_section(source, options.channels, choose);
  image::crop_resize(section.image, section.box, options.image_size[0], options.image_size[1],
                     interpolation_of(options), mirror, out);
}

void crop_for_evaluation(image::Image image, const DataOptions& options, uint8_t* out,
                         double crop_share) {
  image = padded(std::move(image), options.pad);
  const int64_t target_rows = options.image_size[0], target_cols = options.image_size[1];
  const auto to_cover = [&](int64_t target) {
    return static_cast<int64_t>(static_cast<double>(target) / crop_share);
  };
  int64_t rows = to_cover(target_rows), cols = to_cover(target_cols);
  // One side gets exactly the required length. The other keeps the aspect ratio and is at least as
  // long as required, rounded down as in torchvision's Resize.
  if (image.rows * cols <= image.cols * rows) {
    cols = std::max(cols, rows * image.cols / image.rows);
  } else {
    rows = std::max(rows, cols * image.rows / image.cols);
  }
  const image::Box middle{rounded(static_cast<double>(rows - target_rows) / 2),
                          rounded(static_cast<double>(cols - target_cols) / 2), target_rows,
                          target_cols};
  image::resize_window(image, rows, cols, middle, interpolation_of(options), out);
}

}  // namespace fcm::loader
