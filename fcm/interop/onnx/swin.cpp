// Swin: models/swin_transformer.py of SimMIM, with cyclic shifts as constant gather indices.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "fcm/base/relative_table.h"
#include "fcm/interop/onnx/attention.h"
#include "fcm/interop/onnx/encoders.h"
#include "fcm/interop/onnx/layers.h"
#include "fcm/interop/onnx/windows.h"

namespace fcm::interop::onnx {
namespace {

constexpr double kMapNormEpsilon = 1e-5;  // of the norms of a detector's maps

struct SwinStage {
  std::string place;  // "layers.0"
  masks::Grid cells;
  int64_t dim = 0, heads = 0, depth = 0;
};

Value swin_block(Graph& graph, const std::string& place, const Value& x, const SwinStage& stage,
                 const Windows& windows, double epsilon) {
  const std::string attn = place + ".attn";
  const int64_t side = windows.table.side;
  return block(graph, place, x, epsilon, [&](const Value& normed) {
    const Biases biases{
        .fixed = relative_biases(graph, fmt::format("{}.{}", attn, kRelativeTable), {side, side}),
        .windows = &windows};
    const Value inside = in_windows(graph, attn, normed, windows, stage.dim);
    const Value seen = attention(graph, attn, inside, {stage.heads, stage.dim}, biases);
    return out_of_windows(graph, attn, seen, windows, stage.dim);
  });
}

// Concatenates the channels of 2 x 2 cells in the order (row, column) (0,0), (1,0), (0,1), (1,1).
Value merged(Graph& graph, const SwinStage& stage, const Value& x, double epsilon) {
  const std::string place = stage.place + ".downsample";
  const int64_t rows = stage.cells.rows / 2, cols = stage.cells.cols / 2;
  const Value split = graph.reshape(place, x, {kKeepDim, rows, 2, cols, 2, stage.dim});
  const Value together = graph.reshape(place, graph.transpose(place, split, {0, 1, 3, 4, 2, 5}),
                                       {kKeepDim, rows * cols, 4 * stage.dim});
  return linear(graph, place + ".reduction", layer_norm(graph, place + ".norm", together, epsilon),
                /*bias=*/false);
}

// The blocks of a stage. If the map is no larger than a window, windows are not shifted, except
// with attends_to_padding.
Value add_stage(Graph& graph, const EncoderGraph& wanted, const SwinStage& stage, Value x) {
  const int64_t smaller = std::min(stage.cells.rows, stage.cells.cols);
  const int64_t side =
      wanted.attends_to_padding ? wanted.options.window : std::min(wanted.options.window, smaller);
  const bool shifts = wanted.attends_to_padding || smaller > wanted.options.window;
  const auto windows = [&](int64_t shift, const char* name) {
    return add_windows(graph, stage.place + name,
                       window_table(stage.cells, side, shift, wanted.attends_to_padding));
  };
  const Windows unshifted = windows(0, ".windows");
  std::optional<Windows> shifted;
  if (shifts && stage.depth > 1) shifted = windows(side / 2, ".moved_windows");
  for (int64_t i = 0; i < stage.depth; ++i) {
    x = swin_block(graph, fmt::format("{}.blocks.{}", stage.place, i), x, stage,
                   shifted && i % 2 == 1 ? *shifted : unshifted, wanted.options.norm_epsilon);
  }
  return x;
}

}  // namespace

Encoded add_swin(Graph& graph, const EncoderGraph& wanted, const Value& pixels) {
  const encoder::EncoderOptions& options = wanted.options;
  const std::string& prefix = wanted.prefix;
  const int64_t stride = options.strides[0];
  const std::string embedding = prefix + "patch_embed.proj";
  const Value map = convolution(graph, embedding, pixels, {.side = stride, .stride = stride});
  Value x = layer_norm(graph, prefix + "patch_embed.norm",
                       tokens_of_map(graph, embedding, map, options.dims[0]), options.norm_epsilon);
  int64_t side = options.patch_side() / stride;  // side of a patch in cells
  Encoded encoded;
  for (size_t s = 0; s < options.dims.size(); ++s, side /= 2) {
    const SwinStage stage{.place = fmt::format("{}layers.{}", prefix, s),
                          .cells = {wanted.grid.rows * side, wanted.grid.cols * side},
                          .dim = options.dims[s],
                          .heads = options.heads.values[s],
                          .depth = options.depths[s]};
    x = add_stage(graph, wanted, stage, x);
    // Detectors apply a norm to each stage's map.
    const std::string norm = fmt::format("{}norm{}", prefix, s);
    const Value shown = wanted.attends_to_padding ? layer_norm(graph, norm, x, kMapNormEpsilon) : x;
    encoded.maps_NCHW.push_back(
        map_of_tokens(graph, stage.place, shown, options.dims[s], stage.cells));
    if (s + 1 < options.dims.size()) x = merged(graph, stage, x, options.norm_epsilon);
  }
  encoded.tokens_NLC = x;
  if (wanted.norm) encoded.latent_NLC = layer_norm(graph, prefix + "norm", x, options.norm_epsilon);
  return encoded;
}

}  // namespace fcm::interop::onnx
