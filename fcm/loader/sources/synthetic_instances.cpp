#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <utility>

#include "fcm/base/random.h"
#include "fcm/image/colour.h"
#include "fcm/image/polygon_raster.h"
#include "fcm/loader/sources/figures.h"
#include "fcm/loader/sources/sources.h"

namespace fcm::loader {
namespace {

constexpr int64_t kShortSide = 128, kLongSide = 160;
constexpr uint64_t kMostObjects = 6;
constexpr double kSmallest = 12, kLargest = 30;  // half the height of an object, in pixels

// Alternating x and y, relative to the shape's centre, in units of half the shape's height.
using ShapeOutline = std::vector<double>;

ShapeOutline disc_outline() {
  constexpr int kPoints = 24;
  ShapeOutline xy;
  for (int i = 0; i < kPoints; ++i) {
    const double angle = 2 * std::numbers::pi * i / kPoints;
    xy.push_back(std::cos(angle));
    xy.push_back(std::sin(angle));
  }
  return xy;
}

// The classes, with outlines of the shapes in figures.h. Category ids have gaps, as in COCO.
struct ObjectClass {
  const char* name;
  int64_t id;
  ShapeOutline outline;
};
const std::array<ObjectClass, 4>& object_classes() {
  static const std::array<ObjectClass, 4> classes{{
      {"disc", 1, disc_outline()},
      {"square", 2, {-.85, -.85, .85, -.85, .85, .85, -.85, .85}},
      {"triangle", 4, {0, -1, 1, 1, -1, 1}},
      {"cross", 7, {-.3, -1, .3,  -1, .3,  -.3, 1,  -.3, 1,  .3,  .3,  .3,
                    .3,  1,  -.3, 1,  -.3, .3,  -1, .3,  -1, -.3, -.3, -.3}},
  }};
  return classes;
}

struct DrawnObject {
  size_t class_number;
  double x, y, size;  // centre; half the height
  std::array<uint8_t, 3> colour;

  ShapeOutline outline() const {
    ShapeOutline xy = object_classes()[class_number].outline;
    // Coordinates are multiples of 1/100, as in COCO's files.
    const auto rounded = [](double value) { return std::round(value * 100) / 100; };
    for (size_t i = 0; i < xy.size(); i += 2) {
      xy[i] = rounded(x + size * xy[i]);
      xy[i + 1] = rounded(y + size * xy[i + 1]);
    }
    return xy;
  }
};

// Whether the objects overlap so much that the lower one might be unrecognisable.
bool overlaps_too_much(const DrawnObject& one, const DrawnObject& other) {
  constexpr double kMost = 0.3;  // share of the smaller bounding square
  const auto shared = [](double a, double size_a, double b, double size_b) {
    return std::max(0.0, std::min(a + size_a, b + size_b) - std::max(a - size_a, b - size_b));
  };
  const double smaller = 2 * std::min(one.size, other.size);
  return shared(one.x, one.size, other.x, other.size) *
             shared(one.y, one.size, other.y, other.size) >
         kMost * smaller * smaller;
}

struct DrawnImage {
  int64_t rows, cols;
  std::array<uint8_t, 3> background;
  std::vector<DrawnObject> objects;  // later ones cover earlier ones
};

DrawnImage draw_objects(Split split, int64_t index) {
  KeyedRandom random(kSyntheticSeed, Purpose::kSynthetic, split == Split::kTrain ? 4 : 5,
                     static_cast<uint64_t>(index));
  const bool is_wide = random.below(2) == 0, is_dark = random.below(2) == 0;
  constexpr uint64_t kDark = 0, kLight = 144;
  DrawnImage image{is_wide ? kShortSide : kLongSide,
                   is_wide ? kLongSide : kShortSide,
                   draw_colour(random, is_dark ? kDark : kLight),
                   {}};
  const uint64_t count = 1 + random.below(kMostObjects);
  constexpr int kMostTries = 40;
  for (int i = 0; i < kMostTries && image.objects.size() < count; ++i) {
    const size_t class_number = random.below(object_classes().size());
    const double size = kSmallest + (kLargest - kSmallest) * random.uniform_double();
    const auto place = [&](int64_t side) {
      return size + (static_cast<double>(side) - 2 * size) * random.uniform_double();
    };
    const double x = place(image.cols), y = place(image.rows);
    const DrawnObject object{class_number, x, y, size,
                             draw_colour(random, is_dark ? kLight : kDark)};
    const auto hides = [&](const DrawnObject& other) { return overlaps_too_much(object, other); };
    if (std::ranges::none_of(image.objects, hides)) image.objects.push_back(object);
  }
  return image;
}

class SyntheticInstances final : public Dataset {
 public:
  explicit SyntheticInstances(Split split) : split_(split) {
    for (const ObjectClass& one : object_classes()) {
      classes_.names.push_back(one.name);
      classes_.ids.push_back(one.id);
    }
    remarks_.no_labels = "synthetic was drawn with objects, but has no labels of whole images";
  }

  int64_t size() const override { return split_ == Split::kTrain ? 256 : 64; }
  int64_t label(int64_t) const override { return -1; }
  const std::vector<std::string>& classes() const override { return none_; }
  std::string name(int64_t index) const override { return synthetic_name(split_, index); }

  image::Image get(int64_t index, int64_t channels) const override {
    const DrawnImage drawn = draw_objects(split_, index);
    image::Image image{drawn.rows, drawn.cols, 3, {}};
    image.pixels.resize(static_cast<size_t>(drawn.rows * drawn.cols * 3));
    const auto paint = [&](size_t pixel, const std::array<uint8_t, 3>& colour) {
      std::ranges::copy(colour, image.pixels.begin() + static_cast<ptrdiff_t>(3 * pixel));
    };
    const auto pixels = static_cast<size_t>(drawn.rows * drawn.cols);
    for (size_t pixel = 0; pixel < pixels; ++pixel) paint(pixel, drawn.background);
    for (const DrawnObject& object : drawn.objects) {
      const std::vector<uint8_t> mask =
          image::decode_mask(image::raster_polygon(object.outline(), drawn.rows, drawn.cols));
      for (size_t pixel = 0; pixel < pixels; ++pixel) {
        if (mask[pixel] != 0) paint(pixel, object.colour);
      }
    }
    return image::with_channels(std::move(image), channels);
  }

  bool has_instances() const override { return true; }
  const InstanceClasses& instance_classes() const override { return classes_; }
  ImageRecord image_record(int64_t index) const override {
    const DrawnImage drawn = draw_objects(split_, index);
    return {index + 1, drawn.rows, drawn.cols, std::ssize(drawn.objects)};
  }
  Instances instances(int64_t index) const override {
    const DrawnImage drawn = draw_objects(split_, index);
    Instances all{index + 1, drawn.rows, drawn.cols, {}};
    for (const DrawnObject& object : drawn.objects) {
      Instance& instance = all.instances.emplace_back();
      instance.annotation = (index + 1) * 10 + std::ssize(all.instances);
      instance.class_number = static_cast<int64_t>(object.class_number);
      instance.outlines = {object.outline()};
      const ShapeOutline& xy = instance.outlines.front();
      instance.box = {xy[0], xy[1], xy[0], xy[1]};
      for (size_t i = 0; i < xy.size(); ++i) {
        instance.box[i % 2] = std::min(instance.box[i % 2], xy[i]);
        instance.box[2 + i % 2] = std::max(instance.box[2 + i % 2], xy[i]);
      }
      instance.area =
          static_cast<double>(image::mask_area(image::raster_polygon(xy, drawn.rows, drawn.cols)));
    }
    return all;
  }

 private:
  Split split_;
  const std::vector<std::string> none_;
  InstanceClasses classes_;
};

}  // namespace

std::unique_ptr<Dataset> make_synthetic_instances(Split split) {
  return std::make_unique<SyntheticInstances>(split);
}

}  // namespace fcm::loader
