#include "fcm/ops/window_attention/sets.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>

#include "fcm/base/error.h"

namespace fcm::ops {
namespace {

// The tokens of one set, and what it looks like.
struct Set {
  std::vector<int32_t> tokens, codes;
  int32_t plan = 0, look = 0;
};

// In the order of their first tokens.
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
            "window sets: a set of {} rows and {} columns, wanted {} at most",
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
  there.codes_PT = codes_PT.to(device);
  there.sets_S4 = sets_S4.to(device);
  return there;
}

WindowSets make_window_sets(std::span<const std::vector<PlacedToken>> pictures, int64_t window) {
  WindowSets result;
  result.window = window;
  std::vector<int32_t> tokens, codes, table;
  std::vector<Set> all;
  std::map<std::vector<int32_t>, int32_t> looks;
  for (size_t plan = 0; plan < pictures.size(); ++plan) {
    require(pictures[plan].size() == pictures[0].size(),
            "window sets: a picture of {} tokens after one of {}", pictures[plan].size(),
            pictures[0].size());
    for (Set& set : sets_of(pictures[plan], static_cast<int32_t>(plan), window)) {
      set.look = looks.try_emplace(set.codes, static_cast<int32_t>(looks.size())).first->second;
      all.push_back(std::move(set));
    }
  }
  // Within a plan tokens stand in the order of `all`; the table of sets is sorted by look.
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
    return all[static_cast<size_t>(a)].look < all[static_cast<size_t>(b)].look;
  });
  for (const int32_t index : order) {
    const Set& set = all[static_cast<size_t>(index)];
    table.insert(table.end(), {set.plan, first[static_cast<size_t>(index)],
                               static_cast<int32_t>(set.tokens.size()), set.look});
  }
  const auto plans = static_cast<int64_t>(pictures.size());
  const auto of_each = plans == 0 ? 0 : static_cast<int64_t>(pictures[0].size());
  result.tokens_PT = int_tensor(tokens, {plans, of_each});
  result.codes_PT = int_tensor(codes, {plans, of_each});
  result.sets_S4 = int_tensor(table, {static_cast<int64_t>(all.size()), 4});
  return result;
}

}  // namespace fcm::ops
