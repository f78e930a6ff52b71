#include "fcm/interop/onnx/attention.h"

#include <ATen/ATen.h>

#include <cmath>

#include "fcm/interop/onnx/layers.h"
#include "fcm/masks/map_attention.h"

namespace fcm::interop::onnx {
namespace {

// The entries of a table [2 * size - 1, head_dim] for every pair of positions: [size, size,
// head_dim].
Value entries_of_pairs(Graph& graph, const std::string& table, int64_t size) {
  const at::Tensor places = at::arange(size, at::kLong);
  const at::Tensor index_SS = places.unsqueeze(1) - places.unsqueeze(0) + (size - 1);
  return graph.add(table, "Gather",
                   {graph.weight(table), graph.constant(table + "/index", index_SS)},
                   {{"axis", int64_t{0}}});
}

// Scores [S, heads, T, T] plus, for every query, its products with the table entries of the key's
// row and of the key's column. q [S, heads, T, d].
Value plus_decomposed(Graph& graph, const std::string& place, const Value& scores, const Value& q,
                      const Heads& heads, masks::Grid map) {
  const int64_t rows = map.rows, cols = map.cols, d = heads.dim / heads.heads;
  const Value q_ShRCd = graph.reshape(place, q, {kKeepDim, heads.heads, rows, cols, d});
  const Value row_entries = graph.transpose(
      place, entries_of_pairs(graph, place + ".rel_pos_h", rows), {0, 2, 1});  // [R, d, R]
  const Value col_entries = graph.transpose(
      place, entries_of_pairs(graph, place + ".rel_pos_w", cols), {0, 2, 1});  // [C, d, C]
  const Value by_row = graph.add(place, "MatMul", {q_ShRCd, row_entries});     // [S, h, R, C, R]
  const Value by_col = graph.transpose(                                        // [S, h, R, C, C]
      place,
      graph.add(place, "MatMul", {graph.transpose(place, q_ShRCd, {0, 1, 3, 2, 4}), col_entries}),
      {0, 1, 3, 2, 4});
  const Value both =
      graph.add(place, "Add",
                {graph.reshape(place, by_row, {kKeepDim, heads.heads, rows * cols, rows, 1}),
                 graph.reshape(place, by_col, {kKeepDim, heads.heads, rows * cols, 1, cols})});
  return graph.add(
      place, "Add",
      {scores, graph.reshape(place, both, {kKeepDim, heads.heads, rows * cols, rows * cols})});
}

Value plus_mask(Graph& graph, const std::string& place, const Value& scores, const Heads& heads,
                const Windows& windows) {
  const int64_t tokens = windows.table.side * windows.table.side;
  const Value by_image =
      graph.reshape(place, scores, {kInferDim, windows.table.windows, heads.heads, tokens, tokens});
  return graph.reshape(place, graph.add(place, "Add", {by_image, windows.mask}),
                       {kInferDim, heads.heads, tokens, tokens});
}

}  // namespace

Value attention(Graph& graph, const std::string& place, const Value& x_STC, const Heads& heads,
                const Biases& biases) {
  const int64_t d = heads.dim / heads.heads;
  const std::vector<Value> qkv = graph.add_parts(
      place, "Split", 3, {linear(graph, place + ".qkv", x_STC)}, {{"axis", int64_t{-1}}});
  const auto by_head = [&](const Value& x, const Shape& order) {
    return graph.transpose(place, graph.reshape(place, x, {kKeepDim, kKeepDim, heads.heads, d}),
                           order);
  };
  const Value q = by_head(qkv[0], {0, 2, 1, 3}), k = by_head(qkv[1], {0, 2, 3, 1}),
              v = by_head(qkv[2], {0, 2, 1, 3});
  const Value scaled =
      graph.add(place, "Mul", {q, graph.number(1 / std::sqrt(static_cast<double>(d)))});
  Value scores = graph.add(place, "MatMul", {scaled, k});
  if (!biases.fixed.empty()) scores = graph.add(place, "Add", {scores, biases.fixed});
  if (biases.decomposed) scores = plus_decomposed(graph, place, scores, q, heads, biases.map);
  if (biases.windows != nullptr && !biases.windows->mask.empty()) {
    scores = plus_mask(graph, place, scores, heads, *biases.windows);
  }
  const Value shares = graph.add(place, "Softmax", {scores}, {{"axis", int64_t{-1}}});
  const Value seen = graph.transpose(place, graph.add(place, "MatMul", {shares, v}), {0, 2, 1, 3});
  return linear(graph, place + ".proj",
                graph.reshape(place, seen, {kKeepDim, kKeepDim, heads.dim}));
}

Value relative_biases(Graph& graph, const std::string& table, masks::Grid map, bool class_token) {
  const int64_t across = 2 * map.cols - 1;
  const at::Tensor patches = at::arange(map.patches(), at::kLong);
  const at::Tensor place_T = patches.div(map.cols, "floor") * across + patches.remainder(map.cols);
  const int64_t itself = (map.rows - 1) * across + map.cols - 1;
  // The table row of every pair of patches is a difference of indices.
  Value rows = graph.add(table, "Sub",
                         {graph.constant(table + "/query", (place_T + itself).unsqueeze(1)),
                          graph.constant(table + "/key", place_T.unsqueeze(0))});
  if (class_token) {  // class token as query, as key, as both
    const int64_t first = masks::upstream_table_rows(map, false);
    const Value of_key =
        graph.constant(table + "/class_key", at::full({map.patches(), 1}, first + 1, at::kLong));
    const at::Tensor of_query = at::full({1, 1 + map.patches()}, first, at::kLong);
    of_query[0][0].fill_(first + 2);
    rows = graph.add(table, "Concat", {of_key, rows}, {{"axis", int64_t{1}}});
    rows = graph.add(table, "Concat", {graph.constant(table + "/class_query", of_query), rows},
                     {{"axis", int64_t{0}}});
  }
  const Value biases_TTh =
      graph.add(table, "Gather", {graph.weight(table), rows}, {{"axis", int64_t{0}}});
  return graph.transpose(table, biases_TTh, {2, 0, 1});
}

Value block(Graph& graph, const std::string& place, const Value& x, double epsilon,
            const std::function<Value(const Value& normed)>& attend, bool layer_scale) {
  const auto scaled = [&](const Value& branch, const char* gamma) {
    return layer_scale ? graph.add(place, "Mul", {branch, graph.weight(place + gamma)}) : branch;
  };
  const Value attended = attend(layer_norm(graph, place + ".norm1", x, epsilon));
  const Value mixed = graph.add(place, "Add", {x, scaled(attended, ".gamma_1")});
  const Value made =
      mlp(graph, place + ".mlp", layer_norm(graph, place + ".norm2", mixed, epsilon));
  return graph.add(place, "Add", {mixed, scaled(made, ".gamma_2")});
}

}  // namespace fcm::interop::onnx
