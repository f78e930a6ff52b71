// Sets of tokens that attend to each other: windows, parts of windows at a border, parts of them
// that one view sees.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

namespace fcm::ops {

// A token of a picture: the set it is in, and its cell in the map of all pictures' tokens.
struct PlacedToken {
  int32_t token = 0;  // its row in storage
  int32_t set = 0;    // any number; equal ones are one set
  int32_t row = 0, col = 0;
};

// Of P plans: one for each picture of a batch, or one for all of them. Sets are sorted so that
// those which look alike (the same cells, but for their place) stand together: they share a table
// of biases.
struct WindowSets {
  at::Tensor tokens_PT;  // int32: the tokens of each picture, set by set
  // int32, of each token in its set as a query and as a key: row * (2 * cols - 1) + column, where
  // sets span `cols` columns. The bias of query i and key j is entry query_i - key_j + centre of
  // the table.
  at::Tensor queries_PT, keys_PT;
  at::Tensor sets_S4;   // int32: plan, first of its tokens in tokens_PT (flat), their number, look
  int64_t largest = 0;  // tokens of the largest set
  int64_t table_rows = 0;  // of the table of biases
  int64_t centre = 0;      // the entry of a token and itself
  int64_t pairs = 0;       // of query and key, over all sets of all plans
  // Of the tokens of each picture, the last: places of windows where there is no token but a zero
  // (ops/branches).
  int64_t filling = 0;

  int64_t plans() const { return tokens_PT.size(0); }
  int64_t tokens() const { return tokens_PT.size(1); }
  WindowSets to(at::Device device) const;
  // What autograd keeps of it, and back.
  std::vector<at::Tensor> tensors() const { return {tokens_PT, queries_PT, keys_PT, sets_S4}; }
  std::vector<int64_t> numbers() const { return {largest, table_rows, centre, pairs}; }
  static WindowSets of(std::span<const at::Tensor> tensors, std::span<const int64_t> numbers);
};

// Every token of each picture, in the order in which those of a set are to stand. The table has
// (2 * window - 1)^2 rows. Throws std::logic_error where a set spans more than `window` rows or
// columns, or pictures have unequal numbers of tokens.
WindowSets make_window_sets(std::span<const std::vector<PlacedToken>> pictures, int64_t window);

// All tokens of a map in one set: rows * cols in raster order, behind a class token if there is
// one. The table has (2 * rows - 1) * (2 * cols - 1) rows; with a class token those of
// class_entries() behind them.
WindowSets make_map_set(int64_t rows, int64_t cols, bool class_token);

// Entries of that table which belong to a class token: [first, first + count) each, of one and the
// same bias.
struct ClassEntries {
  int64_t first_query, first_key, both;  // as the query; as the key; both: one entry
  int64_t count;                         // of the first two
};
ClassEntries class_entries(int64_t rows, int64_t cols);

}  // namespace fcm::ops
