#include <array>

#include "fcm/base/error.h"
#include "fcm/base/random.h"
#include "fcm/image/colour.h"
#include "fcm/loader/sources/figures.h"
#include "fcm/loader/sources/sources.h"

namespace fcm::loader {
namespace {

constexpr int64_t kEdge = 64;

class Synthetic final : public Dataset {
 public:
  explicit Synthetic(Split split) : split_(split) {
    for (const Figure& figure : kFigures) classes_.push_back(figure.name);
  }

  int64_t size() const override { return split_ == Split::kTrain ? 2048 : 512; }
  int64_t label(int64_t index) const override {
    return index % static_cast<int64_t>(kFigures.size());
  }
  const std::vector<std::string>& classes() const override { return classes_; }
  std::string name(int64_t index) const override { return synthetic_name(split_, index); }

  image::Image get(int64_t index, int64_t channels) const override {
    KeyedRandom random(kSyntheticSeed, Purpose::kSynthetic, split_ == Split::kTrain ? 0 : 1,
                       static_cast<uint64_t>(index));
    const Drawing drawing{0.5F * random.uniform() - 0.25F, 0.5F * random.uniform() - 0.25F,
                          0.4F + 0.3F * random.uniform(), 0.25F + 0.3F * random.uniform()};
    // A dark and a light colour, randomly assigned to figure and background.
    std::array<std::array<uint8_t, 3>, 2> colours{draw_colour(random, 0), draw_colour(random, 144)};
    if (random.below(2) == 1) std::swap(colours[0], colours[1]);
    const Figure& figure = kFigures[static_cast<size_t>(label(index))];
    image::Image image{kEdge, kEdge, 3, {}};
    image.pixels.resize(kEdge * kEdge * 3);
    uint8_t* out = image.pixels.data();
    for (int64_t row = 0; row < kEdge; ++row) {
      const float down = (static_cast<float>(row) + 0.5F) * (2.0F / kEdge) - 1.0F - drawing.row;
      for (int64_t col = 0; col < kEdge; ++col, out += 3) {
        const float right = (static_cast<float>(col) + 0.5F) * (2.0F / kEdge) - 1.0F - drawing.col;
        const auto& colour = colours[figure.covers(down, right, drawing) ? 1 : 0];
        std::copy(colour.begin(), colour.end(), out);
      }
    }
    return image::with_channels(std::move(image), channels);
  }

 private:
  Split split_;
  std::vector<std::string> classes_;
};

}  // namespace

std::string synthetic_name(Split split, int64_t index) {
  return fmt::format("synthetic {} {}", split == Split::kTrain ? "train" : "val", index);
}

std::unique_ptr<Dataset> make_synthetic(Split split, TargetKind wanted) {
  switch (wanted) {
    case TargetKind::kNone:
    case TargetKind::kLabel:
      break;
    case TargetKind::kMap:
      return make_synthetic_scenes(split);
    case TargetKind::kInstances:
      return make_synthetic_instances(split);
  }
  return std::make_unique<Synthetic>(split);
}

}  // namespace fcm::loader
