#include "fcm/loader/frame.h"

#include <array>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/base/random.h"
#include "fcm/image/mask_window.h"
#include "fcm/image/polygon_clip.h"
#include "fcm/image/resize_window.h"
#include "fcm/loader/frame_pixels.h"
#include "fcm/loader/transform.h"

namespace fcm::loader {
namespace {

constexpr float kThinnest = 1e-5F;  // pixels; objects this thin are dropped

// Rounds half to even, as NumPy does.
int64_t round_half_even(double value) { return static_cast<int64_t>(std::nearbyint(value)); }

// The instance's polygons in frame coordinates: scaled as the image is, clipped to the frame,
// shifted and mirrored.
std::vector<std::vector<double>> outlines_in_frame(const Instance& instance,
                                                   const FrameLayout& layout) {
  const auto ratio = [](int64_t to, int64_t from) {
    return static_cast<double>(to) / static_cast<double>(from);
  };
  const double across = ratio(layout.resized.cols, layout.image.cols);
  const double down = ratio(layout.resized.rows, layout.image.rows);
  const auto left = static_cast<double>(layout.left), top = static_cast<double>(layout.top);
  const auto side = static_cast<double>(layout.side);
  std::vector<std::vector<double>> outlines;
  std::vector<double> scaled;
  for (const std::vector<double>& xy : instance.outlines) {
    scaled = xy;
    for (size_t i = 0; i + 1 < scaled.size(); i += 2) {
      scaled[i] *= across;
      scaled[i + 1] *= down;
    }
    for (auto& part : image::clip_polygon(scaled, {left, top, left + side, top + side})) {
      for (size_t i = 0; i < part.size(); i += 2) {
        part[i] -= left;
        part[i + 1] -= top;
        if (layout.mirror) part[i] = side - part[i];
      }
      outlines.push_back(std::move(part));
    }
  }
  return outlines;
}

image::RunLengths mask_in_frame(const image::RunLengths& mask, const FrameLayout& layout) {
  const Extent shown = layout.shown();
  return image::resize_mask(mask, {layout.resized.rows,
                                   layout.resized.cols,
                                   {layout.top, layout.left, shown.rows, shown.cols},
                                   layout.side,
                                   layout.side,
                                   layout.mirror});
}

// Bounding box x0, y0, x1, y1 of all points, in single precision; all 0 without points.
std::array<float, 4> box_around(const std::vector<std::vector<double>>& outlines) {
  constexpr float kFar = std::numeric_limits<float>::infinity();
  std::array<float, 4> box{kFar, kFar, -kFar, -kFar};
  if (outlines.empty()) return {};
  for (const std::vector<double>& xy : outlines) {
    for (size_t i = 0; i < xy.size(); ++i) {
      const auto value = static_cast<float>(xy[i]);
      box[i % 2] = std::min(box[i % 2], value);
      box[2 + i % 2] = std::max(box[2 + i % 2], value);
    }
  }
  return box;
}

std::array<float, 4> box_around(const image::RunLengths& mask) {
  const auto [x, y, width, height] = image::mask_box(mask);
  return {static_cast<float>(x), static_cast<float>(y), static_cast<float>(x + width),
          static_cast<float>(y + height)};
}

// Transforms the instance in place; returns whether enough of it remains in the frame.
bool move_into_frame(Instance& instance, const FrameLayout& layout) {
  std::array<float, 4> box;
  if (instance.mask) {
    instance.mask = mask_in_frame(*instance.mask, layout);
    box = box_around(*instance.mask);
  } else {
    instance.outlines = outlines_in_frame(instance, layout);
    box = box_around(instance.outlines);
  }
  instance.box = {box[0], box[1], box[2], box[3]};
  return box[2] - box[0] > kThinnest && box[3] - box[1] > kThinnest;
}

}  // namespace

void check_frame_options(const FrameOptions& options) {
  check_options(options.data);
  const auto need = [](bool holds, const char* what) {
    if (!holds) fail(ExitCode::kUsage, "{}", what);
  };
  need(options.data.image_size[0] == options.data.image_size[1],
       "data.image_size must be two equal numbers for detection: frames are square");
  need(options.data.channels == 3, "data.channels must be 3 (RGB) for detection");
  need(options.data.pad == 0,
       "data.pad must be 0 for detection: small images are padded to the frame");
  const auto& range = options.jitter.scale_range;
  need(range.size() == 2 && range[0] > 0 && range[0] <= range[1],
       "jitter.scale_range needs a smallest and a largest positive number, in this order");
  need(options.jitter.pad >= 0 && options.jitter.pad <= 255, "jitter.pad must be 0 to 255");
}

FrameDraws draw_frame(const FrameOptions& options, uint64_t seed, uint64_t epoch, uint64_t sample) {
  KeyedRandom random(seed, Purpose::kCrop, epoch, sample);
  const auto& range = options.jitter.scale_range;
  FrameDraws draws;
  draws.scale = range[0] + (range[1] - range[0]) * random.uniform_double();
  draws.offset_share = random.uniform_double();
  draws.mirror = draw_mirror(options.data, seed, epoch, sample);
  return draws;
}

FrameLayout layout_for_training(Extent image, int64_t side, const FrameDraws& draws) {
  const double wanted = static_cast<double>(side) * draws.scale;
  const double factor =
      std::min(wanted / static_cast<double>(image.rows), wanted / static_cast<double>(image.cols));
  const auto resized = [factor](int64_t length) {
    return std::max<int64_t>(round_half_even(static_cast<double>(length) * factor), 1);
  };
  const auto offset = [&](int64_t length) {
    const auto most = static_cast<double>(std::max<int64_t>(length - side, 0));
    return round_half_even(most * draws.offset_share);
  };
  FrameLayout layout{side, image, {resized(image.rows), resized(image.cols)}};
  layout.top = offset(layout.resized.rows);
  layout.left = offset(layout.resized.cols);
  layout.mirror = draws.mirror;
  return layout;
}

FrameLayout layout_for_testing(Extent image, int64_t side) {
  // Upstream's order of operations, which determines the rounding: scale the shorter side to the
  // frame first, then shrink both sides until the longer one fits.
  auto rows = static_cast<double>(image.rows), cols = static_cast<double>(image.cols);
  const auto wanted = static_cast<double>(side);
  const double enlarged = wanted / std::min(rows, cols);
  if (rows < cols) {
    rows = wanted;
    cols *= enlarged;
  } else {
    rows *= enlarged;
    cols = wanted;
  }
  if (const double longest = std::max(rows, cols); longest > wanted) {
    rows *= wanted / longest;
    cols *= wanted / longest;
  }
  const auto whole = [](double length) {
    return std::max<int64_t>(static_cast<int64_t>(length + 0.5), 1);
  };
  return {side, image, {whole(rows), whole(cols)}};
}

Instances instances_in_frame(const Instances& whole, const FrameLayout& layout) {
  Instances seen{whole.image, layout.side, layout.side, {}};
  for (const Instance& instance : whole.instances) {
    if (instance.crowd) continue;
    Instance moved = instance;
    if (move_into_frame(moved, layout)) seen.instances.push_back(std::move(moved));
  }
  return seen;
}

void read_frame_for_training(const Dataset& dataset, int64_t source, const FrameOptions& options,
                             const FrameDraws& draws, uint8_t* pixels, Instances& truth) {
  const ImageRecord record = dataset.image_record(source);
  const FrameLayout layout = layout_for_training({record.rows, record.cols}, options.side(), draws);
  const auto choose = [&](int64_t rows, int64_t cols) {
    if (rows != record.rows || cols != record.cols) {
      fail(ExitCode::kData, "{} has {}x{} pixels, but its annotations are for {}x{}",
           dataset.name(source), cols, rows, record.cols, record.rows);
    }
    return frame_source(layout);
  };
  const image::Section section = dataset.get_section(source, 3, choose);
  fill_frame(section, layout, static_cast<uint8_t>(options.jitter.pad), pixels);
  truth = instances_in_frame(dataset.instances(source), layout);
}

}  // namespace fcm::loader
