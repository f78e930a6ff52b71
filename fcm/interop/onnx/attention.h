// Attention and the transformer block as ONNX nodes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "fcm/interop/onnx/graph.h"
#include "fcm/interop/onnx/windows.h"
#include "fcm/masks/view_plan.h"

namespace fcm::interop::onnx {

// Biases of the attention scores before the softmax.
struct Biases {
  Value fixed = {};  // [heads, T, T]; empty: none
  // If set, the sequences are windows, image by image, and windows->mask is added unless it is
  // empty. Not owned.
  const Windows* windows = nullptr;
  // If set, adds products of the queries with the block's tables for distances in rows and columns
  // of `map`.
  bool decomposed = false;
  masks::Grid map = {};
};

struct Heads {
  int64_t heads = 1, dim = 0;  // dim: channels of all heads together
};
// x [S, T, C] -> [S, T, C]. `place` is for example "blocks.0.attn", with the weights "qkv" and
// "proj" below it.
Value attention(Graph& graph, const std::string& place, const Value& x_STC, const Heads& heads,
                const Biases& biases = {});

// Biases [heads, T, T] from an upstream relative position table, [rows, heads], for the tokens of a
// map in raster order, preceded by a class token if there is one (masks/map_attention.h).
Value relative_biases(Graph& graph, const std::string& table, masks::Grid map,
                      bool class_token = false);

// y = x + gamma_1 * attend(norm1(x)); returns y + gamma_2 * mlp(norm2(y)). Gammas are 1 without
// `layer_scale`.
Value block(Graph& graph, const std::string& place, const Value& x, double epsilon,
            const std::function<Value(const Value& normed)>& attend, bool layer_scale = false);

}  // namespace fcm::interop::onnx
