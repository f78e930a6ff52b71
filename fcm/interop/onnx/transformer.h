// The transformer of a ConvViT or a ViT as nodes: plain blocks, or those of published segmenters
// and detectors.
#pragma once

#include <string>
#include <vector>

#include "fcm/interop/onnx/encoders.h"
#include "fcm/interop/onnx/graph.h"

namespace fcm::interop::onnx {

// Tokens x [N, T, C] with their positions to the results of every block, first to last. `name`: of
// the blocks below the prefix.
std::vector<Value> add_transformer(Graph& graph, const EncoderGraph& wanted,
                                   const std::string& name, const Value& x_NTC);

// The table of positions for the pictures' grid, [1, T, C].
Value positions(Graph& graph, const EncoderGraph& wanted);

}  // namespace fcm::interop::onnx
