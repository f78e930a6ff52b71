// Sets of tokens that attend to each other: windows, parts of windows at a border, the parts of
// both that one view sees, or all tokens of a map.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

namespace fcm::ops {

// A token of an image: its set, and its cell in the map of all tokens of the image.
struct PlacedToken {
  int32_t token = 0;  // its stored row
  int32_t set = 0;    // any number; tokens with equal numbers form one set
  int32_t row = 0, col = 0;
};

// The sets of P plans: one plan for each image of a batch, or one for all images. The layout of a
// set is the list of its cells relative to its corner. Sets are sorted by layout, so that sets of
// the same layout are adjacent and share expanded biases.
struct WindowSets {
  at::Tensor tokens_PT;  // int32: the tokens of each image, set by set
  // int32: the code of each token as a query and as a key: row * (2 * cols - 1) + column in its
  // set, where sets span at most `cols` columns. The bias of query i and key j is entry query_i -
  // key_j + centre of the table.
  at::Tensor queries_PT, keys_PT;
  at::Tensor sets_S4;      // int32: plan, offset in tokens_PT (flat), token count, layout
  int64_t largest = 0;     // tokens of the largest set
  int64_t table_rows = 0;  // rows of the bias table
  int64_t centre = 0;      // the entry for a token and itself
  int64_t pairs = 0;       // (query, key) pairs over all sets of all plans
  // Number of padding tokens at the end of each image: zeros at window positions without a token
  // (ops/branches).
  int64_t padding = 0;

  int64_t plans() const { return tokens_PT.size(0); }
  int64_t tokens() const { return tokens_PT.size(1); }
  WindowSets to(at::Device device) const;
  // tensors() and numbers() are what autograd saves, and of() is their inverse. `padding` is not
  // saved.
  std::vector<at::Tensor> tensors() const { return {tokens_PT, queries_PT, keys_PT, sets_S4}; }
  std::vector<int64_t> numbers() const { return {largest, table_rows, centre, pairs}; }
  static WindowSets of(std::span<const at::Tensor> tensors, std::span<const int64_t> numbers);
};

// images: all tokens of each image; tokens of a set keep their order. The table has
// (2 * window - 1)^2 rows. Throws std::logic_error if a set spans more than `window` rows or
// columns, or if images have unequal numbers of tokens.
WindowSets make_window_sets(std::span<const std::vector<PlacedToken>> images, int64_t window);

// All tokens of a map in one set: rows * cols in raster order, after the class token if there is
// one. The table has (2 * rows - 1) * (2 * cols - 1) rows; with a class token, followed by those of
// class_entries().
WindowSets make_map_set(int64_t rows, int64_t cols, bool class_token);

// The entries of make_map_set's table that belong to a class token. All entries of a range
// [first, first + count) share one bias.
struct ClassEntries {
  // Ranges with the class token as the query and as the key; `both` is a single entry.
  int64_t first_query, first_key, both;
  int64_t count;  // length of the two ranges
};
ClassEntries class_entries(int64_t rows, int64_t cols);

}  // namespace fcm::ops
