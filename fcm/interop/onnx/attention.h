// Attention, and the transformer block around it, as nodes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "fcm/interop/onnx/graph.h"
#include "fcm/interop/onnx/windows.h"
#include "fcm/masks/view_plan.h"

namespace fcm::interop::onnx {

// What is added to the scores of a sequence's tokens before the softmax.
struct Biases {
  Value fixed = {};  // [heads, T, T]; empty: none
  // Sequences are the windows of pictures, one picture's after another, and the windows have cells
  // that are apart. Not owned.
  const Windows* windows = nullptr;
  // Tables of the block for distances in rows and in columns of `map`, multiplied with the queries.
  bool decomposed = false;
  masks::Grid map = {};
};

// x [S, T, C] -> the same; `place`: "blocks.0.attn", below which are "qkv" and "proj".
struct Heads {
  int64_t heads = 1, dim = 0;
};
Value attention(Graph& graph, const std::string& place, const Value& x_STC, const Heads& heads,
                const Biases& biases = {});

// [heads, T, T] of a published table of biases by relative position, [rows, heads], for the tokens
// of a map in raster order, behind a class token if there is one (masks/map_attention.h).
Value relative_biases(Graph& graph, const std::string& table, masks::Grid map,
                      bool class_token = false);

// x + gamma_1 * attend(norm1(x)), then + gamma_2 * mlp(norm2(..)); gammas with LayerScale alone.
Value block(Graph& graph, const std::string& place, const Value& x, double epsilon,
            const std::function<Value(const Value& normed)>& attend, bool layer_scale = false);

}  // namespace fcm::interop::onnx
