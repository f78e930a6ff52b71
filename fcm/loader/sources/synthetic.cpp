#include <array>
#include <cmath>
#include <functional>

#include "fcm/base/error.h"
#include "fcm/base/random.h"
#include "fcm/image/colour.h"
#include "fcm/loader/sources/sources.h"

namespace fcm::loader {
namespace {

constexpr int64_t kEdge = 64;
constexpr uint64_t kSeed = 20230101;  // the set is the same for every run

// What is drawn, in units of half the picture's side, relative to its middle.
struct Drawing {
  float row, col;  // middle of the shape
  float size;      // of the shape
  float period;    // of the grating
};

float fraction(float value) { return value - std::floor(value); }

// One class: is the point inside the figure? `down` and `right` are relative to the shape's middle.
struct Figure {
  const char* name;
  bool (*covers)(float down, float right, const Drawing& drawing);
};

constexpr std::array<Figure, 10> kFigures{{
    {"rows", [](float d, float, const Drawing& g) { return fraction(d / g.period) < 0.5F; }},
    {"columns", [](float, float r, const Drawing& g) { return fraction(r / g.period) < 0.5F; }},
    {"diagonals",
     [](float d, float r, const Drawing& g) { return fraction((d + r) / g.period) < 0.5F; }},
    {"checkers",
     [](float d, float r, const Drawing& g) {
       return (fraction(d / g.period) < 0.5F) != (fraction(r / g.period) < 0.5F);
     }},
    {"rings",
     [](float d, float r, const Drawing& g) {
       return fraction(std::sqrt(d * d + r * r) / g.period) < 0.5F;
     }},
    {"disc", [](float d, float r, const Drawing& g) { return d * d + r * r < g.size * g.size; }},
    {"square",
     [](float d, float r, const Drawing& g) {
       return std::abs(d) < 0.85F * g.size && std::abs(r) < 0.85F * g.size;
     }},
    {"triangle",
     [](float d, float r, const Drawing& g) {
       return d < g.size && d > -g.size && std::abs(r) < 0.5F * (d + g.size);
     }},
    {"cross",
     [](float d, float r, const Drawing& g) {
       const float a = std::abs(d), b = std::abs(r);
       return a < g.size && b < g.size && (a < 0.3F * g.size || b < 0.3F * g.size);
     }},
    {"frame",
     [](float d, float r, const Drawing& g) {
       const float edge = std::max(std::abs(d), std::abs(r));
       return edge < g.size && edge > 0.6F * g.size;
     }},
}};

std::array<uint8_t, 3> draw_colour(KeyedRandom& random, uint64_t low) {
  std::array<uint8_t, 3> colour;
  for (uint8_t& value : colour) value = static_cast<uint8_t>(low + random.below(112));
  return colour;
}

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
  std::string name(int64_t index) const override {
    return fmt::format("synthetic {} {}", split_ == Split::kTrain ? "train" : "val", index);
  }

  image::Image get(int64_t index, int64_t channels) const override {
    KeyedRandom random(kSeed, Purpose::kSynthetic, split_ == Split::kTrain ? 0 : 1,
                       static_cast<uint64_t>(index));
    const Drawing drawing{0.5F * random.uniform() - 0.25F, 0.5F * random.uniform() - 0.25F,
                          0.4F + 0.3F * random.uniform(), 0.25F + 0.3F * random.uniform()};
    // A dark and a light colour, either in front.
    std::array<std::array<uint8_t, 3>, 2> colours{draw_colour(random, 0), draw_colour(random, 144)};
    if (random.below(2) == 1) std::swap(colours[0], colours[1]);
    const Figure& figure = kFigures[static_cast<size_t>(label(index))];
    image::Image picture{kEdge, kEdge, 3, {}};
    picture.pixels.resize(kEdge * kEdge * 3);
    uint8_t* out = picture.pixels.data();
    for (int64_t row = 0; row < kEdge; ++row) {
      const float down = (static_cast<float>(row) + 0.5F) * (2.0F / kEdge) - 1.0F - drawing.row;
      for (int64_t col = 0; col < kEdge; ++col, out += 3) {
        const float right = (static_cast<float>(col) + 0.5F) * (2.0F / kEdge) - 1.0F - drawing.col;
        const auto& colour = colours[figure.covers(down, right, drawing) ? 1 : 0];
        std::copy(colour.begin(), colour.end(), out);
      }
    }
    return image::with_channels(std::move(picture), channels);
  }

 private:
  Split split_;
  std::vector<std::string> classes_;
};

}  // namespace

std::unique_ptr<Dataset> make_synthetic(Split split) { return std::make_unique<Synthetic>(split); }

}  // namespace fcm::loader
