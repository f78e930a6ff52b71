#include "fcm/viz/sheet.h"

#include <algorithm>

#include "fcm/base/error.h"
#include "fcm/viz/canvas.h"
#include "fcm/viz/font.h"

namespace fcm::viz {

namespace {

constexpr int64_t kMargin = 16;
constexpr int64_t kGap = 4;
constexpr int64_t kColumnGroupGap = 14;
constexpr int64_t kTextGap = 8;  // between a block of text and the next block
constexpr int64_t kWantedCols = 112;
constexpr int64_t kLabelGap = 2;    // between a tile and the lines below it
constexpr int64_t kCaptionGap = 6;  // minimum, between captions of neighbouring columns
constexpr TextSize kLabelSize = TextSize::kSmall;  // for file names, which are long
constexpr TextSize kTitleSize = TextSize::kMedium;

void check(const image::Image& tile) {
  require(tile.channels == 1 || tile.channels == 3 || tile.pixels.empty(),
          "expected a tile of 1 or 3 channels, got {}", tile.channels);
  require(static_cast<int64_t>(tile.pixels.size()) == tile.rows * tile.cols * tile.channels,
          "expected one byte per value of a tile of {} x {} x {}, got {} bytes", tile.rows,
          tile.cols, tile.channels, tile.pixels.size());
}

int64_t caption_cols(int64_t tile_cols) { return std::max<int64_t>(tile_cols - kCaptionGap, 1); }

// Captions have the larger size if every one of their words then fits over its column.
TextSize caption_size(const Sheet& sheet, int64_t tile_cols) {
  for (const SheetColumn& column : sheet.columns) {
    std::string_view left = column.caption;
    while (!left.empty()) {
      const size_t end = std::min(left.find(' '), left.size());
      if (text_cols(left.substr(0, end), TextSize::kMedium) > caption_cols(tile_cols))
        return TextSize::kSmall;
      left.remove_prefix(std::min(end + 1, left.size()));
    }
  }
  return TextSize::kMedium;
}

void size_tiles(const Sheet& sheet, SheetGeometry& geometry) {
  int64_t cols = 0;
  for (const SheetRow& row : sheet.rows) {
    geometry.tile_rows.push_back(0);
    require(row.tiles.size() <= sheet.columns.size(), "expected at most {} tiles in a row, got {}",
            sheet.columns.size(), row.tiles.size());
    for (const image::Image& tile : row.tiles) {
      check(tile);
      geometry.tile_rows.back() = std::max(geometry.tile_rows.back(), tile.rows);
      cols = std::max(cols, tile.cols);
    }
  }
  geometry.scale = sheet.scale;
  if (geometry.scale <= 0) {
    geometry.scale = cols == 0 ? 1 : std::max<int64_t>(1, (kWantedCols + cols - 1) / cols);
  }
  for (int64_t& rows : geometry.tile_rows) rows *= geometry.scale;
  geometry.tile_cols = cols * geometry.scale;
}

int64_t block_rows(const std::vector<std::string>& lines, TextSize size) {
  return std::ssize(lines) * line_rows(size);
}

// The height of a block of text with the gap after it; 0 if the block is empty.
int64_t block_and_gap(int64_t rows) { return rows == 0 ? 0 : rows + kTextGap; }

// Height of the lines below the tiles of a row.
int64_t label_rows(const SheetRow& row) {
  int64_t rows = 0;
  for (const std::vector<std::string>& lines : row.labels) {
    rows = std::max(rows, block_rows(lines, kLabelSize));
  }
  return rows == 0 ? 0 : rows + kLabelGap;
}

void draw_lines(image::Image& sheet, int64_t top, int64_t left,
                const std::vector<std::string>& lines, TextSize size, Colour colour) {
  for (const std::string& line : lines) {
    draw_text(sheet, top, left, line, size, colour);
    top += line_rows(size);
  }
}

void draw_row(image::Image& sheet, const SheetRow& row, int64_t top, int64_t rows,
              const SheetGeometry& geometry) {
  for (size_t column = 0; column < row.tiles.size(); ++column) {
    const int64_t left = geometry.column_lefts[column];
    const image::Image& tile = row.tiles[column];
    if (!tile.pixels.empty()) paste(sheet, enlarge(tile, geometry.scale), top, left);
    if (column >= row.labels.size()) continue;
    std::vector<std::string> lines = row.labels[column];
    for (std::string& line : lines) line = cut_text(line, geometry.tile_cols, kLabelSize);
    draw_lines(sheet, top + rows + kLabelGap, left, lines, kLabelSize, kInk);
  }
}

}  // namespace

SheetGeometry sheet_geometry(const Sheet& sheet) {
  SheetGeometry geometry;
  size_tiles(sheet, geometry);
  int64_t right = kMargin;
  for (size_t column = 0; column < sheet.columns.size(); ++column) {
    if (column > 0) right += sheet.columns[column].starts_group ? kColumnGroupGap : kGap;
    geometry.column_lefts.push_back(right);
    right += geometry.tile_cols;
  }
  geometry.text = caption_size(sheet, geometry.tile_cols);
  // At least 240 pixels, so that the title of a sheet with one narrow column has room.
  const int64_t text_room = std::max<int64_t>(right - kMargin, 240);
  geometry.cols = text_room + 2 * kMargin;

  geometry.title_lines = wrap_text(sheet.title, text_room, kTitleSize);
  geometry.note_lines = wrap_text(sheet.note, text_room, geometry.text);
  int64_t caption_rows = 0;
  for (const SheetColumn& column : sheet.columns) {
    geometry.caption_lines.push_back(
        wrap_text(column.caption, caption_cols(geometry.tile_cols), geometry.text));
    caption_rows = std::max(caption_rows, block_rows(geometry.caption_lines.back(), geometry.text));
  }

  geometry.title_top = kMargin;
  geometry.caption_top =
      geometry.title_top + block_and_gap(block_rows(geometry.title_lines, kTitleSize));
  int64_t bottom = geometry.caption_top + block_and_gap(caption_rows);
  for (size_t row = 0; row < sheet.rows.size(); ++row) {
    if (row > 0) bottom += kGap;
    geometry.row_tops.push_back(bottom);
    bottom += geometry.tile_rows[row] + label_rows(sheet.rows[row]);
  }
  geometry.note_top = bottom + kTextGap + kGap;
  const int64_t note_rows = block_rows(geometry.note_lines, geometry.text);
  geometry.rows = (note_rows == 0 ? bottom : geometry.note_top + note_rows) + kMargin;
  return geometry;
}

image::Image make_sheet(const Sheet& sheet) {
  const SheetGeometry geometry = sheet_geometry(sheet);
  image::Image out = blank(geometry.rows, geometry.cols);
  draw_lines(out, geometry.title_top, kMargin, geometry.title_lines, kTitleSize, kInk);
  for (size_t column = 0; column < sheet.columns.size(); ++column) {
    draw_lines(out, geometry.caption_top, geometry.column_lefts[column],
               geometry.caption_lines[column], geometry.text, kSoftInk);
  }
  for (size_t row = 0; row < sheet.rows.size(); ++row) {
    draw_row(out, sheet.rows[row], geometry.row_tops[row], geometry.tile_rows[row], geometry);
  }
  draw_lines(out, geometry.note_top, kMargin, geometry.note_lines, geometry.text, kSoftInk);
  return out;
}

}  // namespace fcm::viz
