#include "fcm/viz/segmentation_sheet.h"

#include <algorithm>

#include "fcm/base/error.h"
#include "fcm/viz/canvas.h"
#include "fcm/viz/class_map.h"
#include "fcm/viz/fitted.h"
#include "fcm/viz/legend.h"
#include "fcm/viz/sheet.h"

namespace fcm::viz {
namespace {

constexpr int64_t kPlace = 384;  // pixels of an image's longer side
constexpr int64_t kAround = 16;  // margin, as in sheet.cpp
constexpr int64_t kAboveLegend = 4;

void check_row(const SegmentationRow& row) {
  for (const image::Image* map : {&row.truth, &row.predicted}) {
    if (map == &row.truth && map->pixels.empty()) continue;
    require(map->channels == 1 && map->rows == row.image.rows && map->cols == row.image.cols &&
                static_cast<int64_t>(map->pixels.size()) == map->rows * map->cols,
            "expected a grey map of the image's size, got {} x {} x {} for {} x {}", map->rows,
            map->cols, map->channels, row.image.rows, row.image.cols);
  }
}

image::Image with_legend(const image::Image& sheet, const std::vector<LegendEntry>& entries) {
  const LegendLayout layout = legend_below(entries, TextSize::kMedium, sheet.cols - 2 * kAround);
  image::Image out = blank(sheet.rows + kAboveLegend + layout.rows + kAround,
                           std::max(sheet.cols, layout.cols + 2 * kAround));
  paste(out, sheet, 0, 0);
  paste(out, draw_legend(entries, layout), sheet.rows + kAboveLegend, kAround);
  return out;
}

}  // namespace

image::Image segmentation_sheet(const std::vector<SegmentationRow>& rows,
                                const std::vector<std::string>& names,
                                const std::vector<Colour>& colours, const std::string& title) {
  require(!rows.empty(), "expected at least one row for a sheet");
  const std::vector<Colour> palette = colours_of_classes(names, colours);
  const bool truths = std::any_of(rows.begin(), rows.end(), [](const SegmentationRow& row) {
    return !row.truth.pixels.empty();
  });
  Sheet sheet{title, {{"image"}}, {}, {}, 1};
  if (truths) sheet.columns.push_back({"truth"});
  sheet.columns.push_back({"prediction"});
  std::vector<const image::Image*> maps;
  for (const SegmentationRow& row : rows) {
    check_row(row);
    const FittedSize size = fitted_size(row.image.rows, row.image.cols, kPlace);
    const image::Image image = fitted_image(row.image, size);
    SheetRow tiles{{image}};
    const auto add = [&](const image::Image& map) {
      maps.push_back(&map);
      tiles.tiles.push_back(map.pixels.empty()
                                ? image::Image{}
                                : blend_classes(image, fitted_map(map, size), palette, 1));
    };
    if (truths) add(row.truth);
    add(row.predicted);
    sheet.rows.push_back(std::move(tiles));
  }
  return with_legend(make_sheet(sheet), legend_of(maps, names, palette, /*with_shares=*/false));
}

}  // namespace fcm::viz
