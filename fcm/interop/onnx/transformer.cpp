#include "fcm/interop/onnx/transformer.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "fcm/base/relative_table.h"
#include "fcm/interop/onnx/attention.h"
#include "fcm/interop/onnx/windows.h"
#include "fcm/nn/positions.h"

namespace fcm::interop::onnx {
namespace {

// Adds the attention of a block, given the block's place, its index and its normed tokens.
using Attend = std::function<Value(const std::string& place, int64_t number, const Value& normed)>;

Attend plain(Graph& graph, const Heads& heads) {
  return [&graph, heads](const std::string& place, int64_t, const Value& normed) {
    return attention(graph, place + ".attn", normed, heads);
  };
}

// Global attention; each block has its own table of relative position biases.
Attend relative(Graph& graph, const EncoderGraph& wanted, const Heads& heads) {
  return [&graph, &wanted, heads](const std::string& place, int64_t, const Value& normed) {
    const std::string attn = place + ".attn";
    const Value biases = relative_biases(graph, fmt::format("{}.{}", attn, kRelativeTable),
                                         wanted.grid, wanted.class_token);
    return attention(graph, attn, normed, heads, {.fixed = biases});
  };
}

bool sees_all(const encoder::Windowed& windowed, int64_t number) {
  return std::ranges::find(windowed.global_blocks, number) != windowed.global_blocks.end();
}

Value attend_in_windows(Graph& graph, const std::string& place, const Value& normed,
                        const Windows& windows, const Heads& heads, const Biases& biases) {
  const Value inside = in_windows(graph, place, normed, windows, heads.dim);
  return out_of_windows(graph, place, attention(graph, place, inside, heads, biases), windows,
                        heads.dim);
}

// Window and global attention; window blocks share one bias table, global blocks another.
Attend windowed(Graph& graph, const EncoderGraph& wanted, const Heads& heads) {
  const encoder::Windowed& windowed = *wanted.windowed;
  const auto table = [&](const char* name, masks::Grid map) {
    return relative_biases(graph, fmt::format("{}{}.{}", wanted.prefix, name, kRelativeTable), map);
  };
  const Biases in_window{.fixed =
                             table("windowed_rel_pos_bias", {windowed.window, windowed.window})};
  const Biases over_map{.fixed = table("global_rel_pos_bias", wanted.grid)};
  const Windows windows = add_windows(graph, wanted.prefix + "windows",
                                      window_table(wanted.grid, windowed.window, 0, false));
  return [&graph, &windowed, heads, in_window, over_map, windows](
             const std::string& place, int64_t number, const Value& normed) {
    const std::string attn = place + ".attn";
    if (sees_all(windowed, number)) return attention(graph, attn, normed, heads, over_map);
    return attend_in_windows(graph, attn, normed, windows, heads, in_window);
  };
}

// Window and global attention; each block has tables for rows and columns, and windows are padded.
Attend decomposed(Graph& graph, const EncoderGraph& wanted, const Heads& heads) {
  const encoder::Windowed& windowed = *wanted.windowed;
  const Windows windows = add_windows(graph, wanted.prefix + "windows",
                                      window_table(wanted.grid, windowed.window, 0, true));
  return [&graph, &wanted, &windowed, heads, windows](const std::string& place, int64_t number,
                                                      const Value& normed) {
    const std::string attn = place + ".attn";
    if (sees_all(windowed, number)) {
      return attention(graph, attn, normed, heads, {.decomposed = true, .map = wanted.grid});
    }
    const Biases biases{.decomposed = true, .map = {windowed.window, windowed.window}};
    return attend_in_windows(graph, attn, normed, windows, heads, biases);
  };
}

Attend attention_of(Graph& graph, const EncoderGraph& wanted, const Heads& heads) {
  if (wanted.relative_blocks) return relative(graph, wanted, heads);
  if (!wanted.windowed) return plain(graph, heads);
  return wanted.windowed->decomposed ? decomposed(graph, wanted, heads)
                                     : windowed(graph, wanted, heads);
}

}  // namespace

std::vector<Value> add_transformer(Graph& graph, const EncoderGraph& wanted,
                                   const std::string& name, const Value& x_NTC) {
  const encoder::EncoderOptions& options = wanted.options;
  const Attend attend = attention_of(graph, wanted, {options.heads.last(), options.dims.back()});
  std::vector<Value> results;
  for (int64_t i = 0; i < options.depths.back(); ++i) {
    const std::string place = fmt::format("{}{}.{}", wanted.prefix, name, i);
    const Value& x = results.empty() ? x_NTC : results.back();
    results.push_back(block(
        graph, place, x, options.norm_epsilon,
        [&](const Value& normed) { return attend(place, i, normed); }, wanted.relative_blocks));
  }
  if (results.empty()) results.push_back(x_NTC);
  return results;
}

Value positions(Graph& graph, const EncoderGraph& wanted) {
  const std::string name = wanted.prefix + "pos_embed";
  const masks::Grid from = wanted.positions, to = wanted.grid;
  const bool same = from.patches() == 0 || (from.rows == to.rows && from.cols == to.cols);
  if (same) return graph.weight(name);
  return graph.constant(name + "/resized",
                        nn::resize_positions(graph.value_of(name).to(at::kDouble), from.rows,
                                             from.cols, to.rows, to.cols));
}

}  // namespace fcm::interop::onnx
