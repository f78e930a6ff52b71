#include <array>

#include "fcm/base/error.h"
#include "fcm/base/random.h"
#include "fcm/image/colour.h"
#include "fcm/loader/sources/figures.h"
#include "fcm/loader/sources/sources.h"

namespace fcm::loader {
namespace {

constexpr int64_t kSceneRows = 128, kSceneCols = 160;
constexpr uint64_t kFewestShapes = 3, kMostShapes = 6;
constexpr size_t kShapes = kFigures.size() - kGratings;

struct PlacedShape {
  const Figure* figure;
  uint8_t number;  // value in the map
  // The shape's centre, relative to the image's centre, and its size: in halves of the image's
  // height.
  float row, col;
  float size;
  std::array<uint8_t, 3> colour;
};

struct DrawnScene {
  std::array<uint8_t, 3> background;
  std::vector<PlacedShape> shapes;  // later ones cover earlier ones
};

DrawnScene draw_shapes(Split split, int64_t index) {
  KeyedRandom random(kSyntheticSeed, Purpose::kSynthetic, split == Split::kTrain ? 2 : 3,
                     static_cast<uint64_t>(index));
  const bool is_dark = random.below(2) == 0;
  constexpr uint64_t kDark = 0, kLight = 144;
  DrawnScene scene{draw_colour(random, is_dark ? kDark : kLight), {}};
  const uint64_t count = kFewestShapes + random.below(kMostShapes - kFewestShapes + 1);
  for (uint64_t i = 0; i < count; ++i) {
    const size_t shape = random.below(kShapes);
    const float row = 1.6F * random.uniform() - 0.8F, col = 2.1F * random.uniform() - 1.05F;
    const float size = 0.2F + 0.25F * random.uniform();
    scene.shapes.push_back({&kFigures[kGratings + shape], static_cast<uint8_t>(2 + shape), row, col,
                            size, draw_colour(random, is_dark ? kLight : kDark)});
  }
  return scene;
}

// Calls see(shape) for every pixel, row by row, with the topmost shape, or nullptr for background.
template <class See>
void for_each_pixel(const DrawnScene& scene, const See& see) {
  const auto from_middle = [](int64_t place, int64_t side) {
    return (static_cast<float>(2 * place + 1 - side)) / static_cast<float>(kSceneRows);
  };
  for (int64_t row = 0; row < kSceneRows; ++row) {
    for (int64_t col = 0; col < kSceneCols; ++col) {
      const PlacedShape* seen = nullptr;
      for (const PlacedShape& shape : scene.shapes) {
        const Drawing drawing{shape.row, shape.col, shape.size, 1};
        const float down = from_middle(row, kSceneRows) - shape.row;
        const float right = from_middle(col, kSceneCols) - shape.col;
        if (shape.figure->covers(down, right, drawing)) seen = &shape;
      }
      see(seen);
    }
  }
}

class SyntheticScenes final : public Dataset {
 public:
  explicit SyntheticScenes(Split split) : split_(split) {
    classes_of_maps_.names.push_back("background");
    for (size_t i = 0; i < kShapes; ++i) {
      classes_of_maps_.names.push_back(kFigures[kGratings + i].name);
    }
    remarks_.no_labels = "synthetic was drawn with class maps, but has no labels of whole images";
  }

  int64_t size() const override { return split_ == Split::kTrain ? 256 : 64; }
  int64_t label(int64_t) const override { return -1; }
  const std::vector<std::string>& classes() const override { return none_; }
  std::string name(int64_t index) const override { return synthetic_name(split_, index); }

  image::Image get(int64_t index, int64_t channels) const override {
    const DrawnScene scene = draw_shapes(split_, index);
    image::Image image{kSceneRows, kSceneCols, 3, {}};
    image.pixels.reserve(kSceneRows * kSceneCols * 3);
    for_each_pixel(scene, [&](const PlacedShape* shape) {
      const auto& colour = shape == nullptr ? scene.background : shape->colour;
      image.pixels.insert(image.pixels.end(), colour.begin(), colour.end());
    });
    return image::with_channels(std::move(image), channels);
  }

  bool has_maps() const override { return true; }
  const MapClasses& map_classes() const override { return classes_of_maps_; }
  ClassMap class_map(int64_t index) const override {
    ClassMap map{kSceneRows, kSceneCols, {}};
    map.classes.reserve(kSceneRows * kSceneCols);
    for_each_pixel(draw_shapes(split_, index), [&](const PlacedShape* shape) {
      map.classes.push_back(shape == nullptr ? 1 : shape->number);
    });
    return map;
  }

 private:
  Split split_;
  const std::vector<std::string> none_;
  MapClasses classes_of_maps_;
};

}  // namespace

std::unique_ptr<Dataset> make_synthetic_scenes(Split split) {
  return std::make_unique<SyntheticScenes>(split);
}

}  // namespace fcm::loader
