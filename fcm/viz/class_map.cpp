#include "fcm/viz/class_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "fcm/base/error.h"
#include "fcm/image/colour.h"
#include "fcm/viz/canvas.h"
#include "fcm/viz/class_colours.h"

namespace fcm::viz {
namespace {

constexpr int64_t kEdge = 8;         // margin around everything, in text_unit
constexpr int64_t kLegendGap = 6;    // between image and legend, in text_unit
constexpr int64_t kLeastSide = 400;  // pixels of an image's longer side
constexpr int64_t kSideOfBorder = 700;
constexpr Colour kNone{0, 0, 0};

void check_map(const image::Image& image, const image::Image& map) {
  require(map.channels == 1 && map.rows == image.rows && map.cols == image.cols &&
              static_cast<int64_t>(map.pixels.size()) == map.rows * map.cols,
          "expected a grey map of the image's size, got {} x {} x {} of {} bytes for {} x {}",
          map.rows, map.cols, map.channels, map.pixels.size(), image.rows, image.cols);
}

image::Image enlarged_map(const image::Image& map, int64_t factor) {
  image::Image large{map.rows * factor, map.cols * factor, 1, {}};
  large.pixels.reserve(static_cast<size_t>(large.rows * large.cols));
  for (int64_t row = 0; row < large.rows; ++row) {
    const uint8_t* from = map.pixels.data() + row / factor * map.cols;
    for (int64_t col = 0; col < large.cols; ++col) large.pixels.push_back(from[col / factor]);
  }
  return large;
}

// Whether a pixel within `reach` above, below, left or right has another class.
bool at_border(const image::Image& map, int64_t row, int64_t col, int64_t reach) {
  const auto at = [&](int64_t r, int64_t c) {
    return map.pixels[static_cast<size_t>(std::clamp<int64_t>(r, 0, map.rows - 1) * map.cols +
                                          std::clamp<int64_t>(c, 0, map.cols - 1))];
  };
  const uint8_t own = at(row, col);
  for (int64_t d = 1; d <= reach; ++d) {
    if (at(row - d, col) != own || at(row + d, col) != own || at(row, col - d) != own ||
        at(row, col + d) != own) {
      return true;
    }
  }
  return false;
}

std::string share_text(int64_t pixels, int64_t all) {
  const double percent = 100 * static_cast<double>(pixels) / static_cast<double>(all);
  if (percent < 0.05) return "<0.1 %";
  return fmt::format("{:.1f} %", percent);
}

// The image with the legend below or beside it, on the background of sheets.
image::Image joined(const image::Image& image, const image::Image& legend, TextSize text,
                    bool below) {
  const int64_t edge = kEdge * text_unit(text), gap = kLegendGap * text_unit(text);
  const int64_t rows = below ? image.rows + gap + legend.rows : std::max(image.rows, legend.rows);
  const int64_t cols = below ? std::max(image.cols, legend.cols) : image.cols + gap + legend.cols;
  image::Image out = blank(rows + 2 * edge, cols + 2 * edge);
  paste(out, image, edge, edge);
  paste(out, legend, edge + (below ? image.rows + gap : 0), edge + (below ? 0 : image.cols + gap));
  return out;
}

}  // namespace

std::vector<Colour> colours_of_classes(const std::vector<std::string>& names,
                                       const std::vector<Colour>& colours) {
  if (colours.empty()) return class_colours(std::ssize(names));
  require(colours.size() >= names.size(), "expected a colour for each of {} classes, got {}",
          names.size(), colours.size());
  return colours;
}

int64_t enlargement(const image::Image& image, int64_t wanted) {
  const int64_t side = std::max<int64_t>({image.rows, image.cols, 1});
  return std::max<int64_t>(1, (wanted + side - 1) / side);
}

image::Image blend_classes(const image::Image& image, const image::Image& map,
                           const std::vector<Colour>& colours, int64_t border) {
  check_map(image, map);
  image::Image out = image::with_channels(image::with_channels(image, 1), 3);
  size_t at = 0;
  for (int64_t row = 0; row < map.rows; ++row) {
    for (int64_t col = 0; col < map.cols; ++col, ++at) {
      const uint8_t value = map.pixels[at];
      require(value == kNoClass || value < colours.size(),
              "a pixel has class {}, expected one below {}", value, colours.size());
      const Colour colour = value == kNoClass ? kNone : colours[value];
      const bool full = value != kNoClass && at_border(map, row, col, border);
      for (size_t channel = 0; channel < 3; ++channel) {
        uint8_t& byte = out.pixels[at * 3 + channel];
        byte = full ? colour[channel] : static_cast<uint8_t>((byte + colour[channel] + 1) / 2);
      }
    }
  }
  return out;
}

std::vector<LegendEntry> legend_of(const std::vector<const image::Image*>& maps,
                                   const std::vector<std::string>& names,
                                   const std::vector<Colour>& colours, bool with_shares) {
  std::array<int64_t, 256> pixels{};
  int64_t all = 0;
  for (const image::Image* map : maps) {
    for (const uint8_t value : map->pixels) ++pixels[value];
    all += std::ssize(map->pixels);
  }
  std::vector<size_t> order(256);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end() - 1,
                   [&](size_t a, size_t b) { return pixels[a] > pixels[b]; });
  std::vector<LegendEntry> entries;
  for (const size_t value : order) {
    if (pixels[value] == 0) continue;
    const bool none = value == kNoClass;
    require(none || value < names.size(), "a pixel has class {}, expected one below {}", value,
            names.size());
    entries.push_back({none ? kNone : colours[value], none ? "no class" : names[value],
                       with_shares ? share_text(pixels[value], all) : ""});
  }
  return entries;
}

image::Image map_over_image(const image::Image& image, const image::Image& map,
                            const std::vector<std::string>& names,
                            const std::vector<Colour>& colours) {
  check_map(image, map);
  const std::vector<Colour> palette = colours_of_classes(names, colours);
  const int64_t factor = enlargement(image, kLeastSide);
  const int64_t side = std::max(image.rows, image.cols) * factor;
  const TextSize text = text_size_for(side);
  const image::Image drawn = blend_classes(enlarge(image, factor), enlarged_map(map, factor),
                                           palette, std::max<int64_t>(1, side / kSideOfBorder));
  const std::vector<LegendEntry> entries = legend_of({&map}, names, palette, true);
  const LegendLayout below = legend_below(entries, text, drawn.cols);
  const LegendLayout beside = legend_beside(entries, text, drawn.rows);
  const int64_t gap = kLegendGap * text_unit(text);
  const int64_t pixels_below = std::max(drawn.cols, below.cols) * (drawn.rows + gap + below.rows);
  const int64_t pixels_beside =
      (drawn.cols + gap + beside.cols) * std::max(drawn.rows, beside.rows);
  const bool is_below = pixels_below <= pixels_beside;
  return joined(drawn, draw_legend(entries, is_below ? below : beside), text, is_below);
}

}  // namespace fcm::viz
