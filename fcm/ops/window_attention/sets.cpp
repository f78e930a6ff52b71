#include "fcm/ops/window_attention/sets.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "fcm/base/error.h"

namespace fcm::ops {
namespace {

// The tokens of one set, and the index of its layout.
struct Set {
  std::vector<int32_t> tokens, codes;
  int32_t plan = 0, layout = 0;
};

// The sets of a plan by ascending set number; tokens of a set keep their order.
std::vector<Set> sets_of(const std::vector<PlacedToken>& tokens, int32_t plan, int64_t window) {
  std::map<int32_t, std::vector<const PlacedToken*>> by_set;
  for (const PlacedToken& token : tokens) by_set[token.set].push_back(&token);
  std::vector<Set> sets;
  for (const auto& [number, members] : by_set) {
    const auto by_row = [](const PlacedToken* a, const PlacedToken* b) { return a->row < b->row; };
    const auto by_col = [](const PlacedToken* a, const PlacedToken* b) { return a->col < b->col; };
    const auto rows = std::minmax_element(members.begin(), members.end(), by_row);
    const auto cols = std::minmax_element(members.begin(), members.end(), by_col);
    const int32_t first_row = (*rows.first)->row, first_col = (*cols.first)->col;
    require((*rows.second)->row - first_row < window && (*cols.second)->col - first_col < window,
            "window sets: a set of {} rows and {} columns, expected {} at most",
            (*rows.second)->row - first_row + 1, (*cols.second)->col - first_col + 1, window);
    Set set;
    set.plan = plan;
    for (const PlacedToken* token : members) {
      set.tokens.push_back(token->token);
      set.codes.push_back((token->row - first_row) * static_cast<int32_t>(2 * window - 1) +
                          token->col - first_col);
    }
    sets.push_back(std::move(set));
  }
  return sets;
}

at::Tensor int_tensor(const std::vector<int32_t>& values, at::IntArrayRef shape) {
  return at::tensor(at::ArrayRef<int32_t>(values), at::kInt).view(shape);
}

}  // namespace

WindowSets WindowSets::to(at::Device device) const {
  WindowSets there = *this;
  there.tokens_PT = tokens_PT.to(device);
  there.queries_PT = queries_PT.to(device);
  there.keys_PT = keys_PT.to(device);
  there.sets_S4 = sets_S4.to(device);
  return there;
}

WindowSets WindowSets::of(std::span<const at::Tensor> tensors, std::span<const int64_t> numbers) {
  return {tensors[0], tensors[1], tensors[2], tensors[3],
          numbers[0], numbers[1], numbers[2], numbers[3]};
}

WindowSets make_window_sets(std::span<const std::vector<PlacedToken>> images, int64_t window) {
  WindowSets result;
  result.table_rows = (2 * window - 1) * (2 * window - 1);
  result.centre = 2 * window * (window - 1);
  std::vector<int32_t> tokens, codes, table;
  std::vector<Set> all;
  std::map<std::vector<int32_t>, int32_t> layouts;
  for (size_t plan = 0; plan < images.size(); ++plan) {
    require(images[plan].size() == images[0].size(),
            "window sets: expected images of equal token counts, got {} after {}",
            images[plan].size(), images[0].size());
    for (Set& set : sets_of(images[plan], static_cast<int32_t>(plan), window)) {
      set.layout =
          layouts.try_emplace(set.codes, static_cast<int32_t>(layouts.size())).first->second;
      all.push_back(std::move(set));
    }
  }
  // Within a plan, tokens are in the order of `all`; the table of sets is sorted by layout.
  std::vector<int32_t> order(all.size());
  std::vector<int32_t> first(all.size());
  for (size_t i = 0; i < all.size(); ++i) {
    order[i] = static_cast<int32_t>(i);
    first[i] = static_cast<int32_t>(tokens.size());
    tokens.insert(tokens.end(), all[i].tokens.begin(), all[i].tokens.end());
    codes.insert(codes.end(), all[i].codes.begin(), all[i].codes.end());
    const auto size = static_cast<int64_t>(all[i].tokens.size());
    result.largest = std::max(result.largest, size);
    result.pairs += size * size;
  }
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    return all[static_cast<size_t>(a)].layout < all[static_cast<size_t>(b)].layout;
  });
  for (const int32_t index : order) {
    const Set& set = all[static_cast<size_t>(index)];
    table.insert(table.end(), {set.plan, first[static_cast<size_t>(index)],
                               static_cast<int32_t>(set.tokens.size()), set.layout});
  }
  const auto plans = static_cast<int64_t>(images.size());
  const auto of_each = plans == 0 ? 0 : static_cast<int64_t>(images[0].size());
  result.tokens_PT = int_tensor(tokens, {plans, of_each});
  result.queries_PT = result.keys_PT = int_tensor(codes, {plans, of_each});
  result.sets_S4 = int_tensor(table, {static_cast<int64_t>(all.size()), 4});
  return result;
}

// Entries for pairs of patches come first, in upstream's order. The codes of a class token are so
// large that its pairs with patches have entries after them: first as the query, then as the key.
ClassEntries class_entries(int64_t rows, int64_t cols) {
  const int64_t largest = (rows - 1) * (2 * cols - 1) + cols - 1;  // largest code of a patch
  const int64_t count = largest + 1, first = 2 * largest + 1;
  return {first, first + count, first + 3 * largest + 2, count};
}

WindowSets make_map_set(int64_t rows, int64_t cols, bool class_token) {
  require(rows >= 1 && cols >= 1, "map set: expected at least one token, got {} x {}", rows, cols);
  const ClassEntries entries = class_entries(rows, cols);
  WindowSets result;
  result.centre = entries.count - 1;
  result.table_rows = class_token ? entries.both + 1 : entries.first_query;
  std::vector<int32_t> queries, keys;
  if (class_token) {
    queries.push_back(static_cast<int32_t>(entries.first_query));
    keys.push_back(static_cast<int32_t>(result.centre - entries.first_key));
  }
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t col = 0; col < cols; ++col) {
      queries.push_back(static_cast<int32_t>(row * (2 * cols - 1) + col));
      keys.push_back(queries.back());
    }
  }
  const auto count = std::ssize(queries);
  std::vector<int32_t> tokens(queries.size());
  std::iota(tokens.begin(), tokens.end(), 0);
  result.tokens_PT = int_tensor(tokens, {1, count});
  result.queries_PT = int_tensor(queries, {1, count});
  result.keys_PT = int_tensor(keys, {1, count});
  result.sets_S4 = int_tensor({0, 0, static_cast<int32_t>(count), 0}, {1, 4});
  result.largest = count;
  result.pairs = count * count;
  return result;
}

}  // namespace fcm::ops
