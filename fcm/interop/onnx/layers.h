// The layers of encoders and heads as ONNX nodes. `place` is the module's upstream name, the prefix
// of its weights' names: "blocks.0.attn.qkv" has ".weight" and ".bias".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fcm/interop/onnx/graph.h"
#include "fcm/masks/view_plan.h"

namespace fcm::interop::onnx {

// x [..., I] -> [..., O].
Value linear(Graph& graph, const std::string& place, const Value& x, bool bias = true);

// Over the last dimension.
Value layer_norm(Graph& graph, const std::string& place, const Value& x, double epsilon);

Value gelu(Graph& graph, const std::string& place, const Value& x);  // exact (erf)
Value relu(Graph& graph, const std::string& place, const Value& x);

struct Convolution {
  int64_t side = 1, stride = 1, padding = 0, groups = 1;
  bool bias = true;
};
// On maps [N, C, H, W], like all functions below up to halved_by_maximum.
Value convolution(Graph& graph, const std::string& place, const Value& x,
                  const Convolution& options);
// 2 x 2 transposed convolution with stride 2: doubles rows and columns.
Value doubling_convolution(Graph& graph, const std::string& place, const Value& x);
// LayerNorm over the channels of each position.
Value map_layer_norm(Graph& graph, const std::string& place, const Value& x, double epsilon);
// With running statistics. x [N, C, ...].
Value batch_norm(Graph& graph, const std::string& place, const Value& x, double epsilon = 1e-5);
Value halved_by_maximum(Graph& graph, const std::string& place, const Value& x);

// From a map to tokens in raster order, [N, rows * cols, C], and back.
Value tokens_of_map(Graph& graph, const std::string& place, const Value& map_NCHW,
                    int64_t channels);
Value map_of_tokens(Graph& graph, const std::string& place, const Value& tokens_NLC,
                    int64_t channels, masks::Grid grid);

// Linear, GELU, Linear.
Value mlp(Graph& graph, const std::string& place, const Value& x);

}  // namespace fcm::interop::onnx
