// Draws contact sheets: rows of small images (tiles) under captions, as one image.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fcm/image/image.h"
#include "fcm/viz/font.h"

namespace fcm::viz {

struct SheetColumn {
  std::string caption;
  bool starts_group = false;  // a wider gap before the column
};

// Tiles are RGB or grey, of any size. A tile without pixels leaves its cell blank, as do tiles
// missing at the end of a row.
struct SheetRow {
  std::vector<image::Image> tiles;
  // Lines of text below each tile, cut if they are wider than a cell; may be empty.
  std::vector<std::vector<std::string>> labels = {};
};

struct Sheet {
  std::string title;  // above the captions
  std::vector<SheetColumn> columns;
  std::vector<SheetRow> rows;
  std::string note;   // one paragraph below the tiles
  int64_t scale = 0;  // every pixel becomes scale x scale; 0: the smallest with which the widest
                      // tile has at least 112 columns
};

// Layout of a sheet, in pixels of the sheet.
struct SheetGeometry {
  int64_t rows = 0, cols = 0;        // of the whole sheet
  int64_t scale = 1;                 // of tiles
  TextSize text = TextSize::kSmall;  // of captions and note; labels are small
  int64_t tile_cols = 0;             // of a cell: the widest tile, scaled
  std::vector<int64_t> tile_rows;    // of each row: its tallest tile, scaled
  int64_t title_top = 0, caption_top = 0, note_top = 0;
  std::vector<int64_t> row_tops, column_lefts;
  std::vector<std::string> title_lines, note_lines;
  std::vector<std::vector<std::string>> caption_lines;  // [column]
};

SheetGeometry sheet_geometry(const Sheet& sheet);

// The sheet as RGB: dark text on a nearly white background, tiles at the top left of their cells.
// Throws std::logic_error if a row has more tiles than there are columns.
image::Image make_sheet(const Sheet& sheet);

}  // namespace fcm::viz
