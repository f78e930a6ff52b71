// Contact sheets: rows of small images under captions, as one image.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fcm/image/image.h"
#include "fcm/viz/font.h"

namespace fcm::viz {

struct SheetColumn {
  std::string caption;
  bool starts_group = false;  // a wider gap stands before the column
};

// Tiles are RGB or grey, of any size; a tile without pixels leaves its place blank, and so do tiles
// missing at the end of a row.
struct SheetRow {
  std::vector<image::Image> tiles;
  // Lines under each tile, cut where they are wider; may be missing, too.
  std::vector<std::vector<std::string>> labels = {};
};

struct Sheet {
  std::string title;  // above the captions
  std::vector<SheetColumn> columns;
  std::vector<SheetRow> rows;
  std::string note;   // one paragraph below the tiles
  int64_t scale = 0;  // every pixel becomes scale x scale; 0: the least that makes tiles 112 wide
};

// Where things are, in pixels of the sheet.
struct SheetGeometry {
  int64_t rows = 0, cols = 0;        // of the whole sheet
  int64_t scale = 1;                 // of tiles
  TextSize text = TextSize::kSmall;  // of captions and the note; labels are small
  int64_t tile_cols = 0;             // of a place: the widest tile, scaled
  std::vector<int64_t> tile_rows;    // of each row: its tallest tile, scaled
  int64_t title_top = 0, caption_top = 0, note_top = 0;
  std::vector<int64_t> row_tops, column_lefts;
  std::vector<std::string> title_lines, note_lines;
  std::vector<std::vector<std::string>> caption_lines;  // [column]
};

SheetGeometry sheet_geometry(const Sheet& sheet);

// The sheet as RGB: dark text on a nearly white ground, tiles at the top left of their places.
// More tiles in a row than columns are a programming error (std::logic_error).
image::Image make_sheet(const Sheet& sheet);

}  // namespace fcm::viz
