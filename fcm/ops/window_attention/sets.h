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
  // int32: row * (2 * window - 1) + column of each token in its set. The bias of query i and key j
  // is entry code_i - code_j + 2 * window * (window - 1) of the table.
  at::Tensor codes_PT;
  at::Tensor sets_S4;   // int32: plan, first of its tokens in tokens_PT (flat), their number, look
  int64_t largest = 0;  // tokens of the largest set
  int64_t window = 0;   // rows and columns that a set spans at most
  int64_t pairs = 0;    // of query and key, over all sets of all plans

  int64_t plans() const { return tokens_PT.size(0); }
  int64_t tokens() const { return tokens_PT.size(1); }
  int64_t table_rows() const { return (2 * window - 1) * (2 * window - 1); }
  WindowSets to(at::Device device) const;
};

// Every token of each picture, in the order in which those of a set are to stand. Throws
// std::logic_error where a set spans more than `window` rows or columns, or pictures have unequal
// numbers of tokens.
WindowSets make_window_sets(std::span<const std::vector<PlacedToken>> pictures, int64_t window);

}  // namespace fcm::ops
