// The transformer of a ConvViT or a ViT as nodes: plain blocks, or those of upstream segmenters and
// detectors.
#pragma once

#include <string>
#include <vector>

#include "fcm/interop/onnx/encoders.h"
#include "fcm/interop/onnx/graph.h"

namespace fcm::interop::onnx {

// Tokens x [N, T, C] with their positions added -> the outputs of all blocks, first to last.
// `name`: of the blocks below the prefix.
std::vector<Value> add_transformer(Graph& graph, const EncoderGraph& wanted,
                                   const std::string& name, const Value& x_NTC);

// The position table resized to the image's grid, [1, T, C].
Value positions(Graph& graph, const EncoderGraph& wanted);

}  // namespace fcm::interop::onnx
