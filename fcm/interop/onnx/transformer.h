// The transformer of a ConvViT or a ViT as ONNX nodes, with plain blocks or with the blocks of
// upstream segmenters and detectors.
#pragma once

#include <string>
#include <vector>

#include "fcm/interop/onnx/encoders.h"
#include "fcm/interop/onnx/graph.h"

namespace fcm::interop::onnx {

// Tokens x [N, T, C] with their positions added -> the outputs of all blocks, first to last. The
// weights of block i begin with "<wanted.prefix><name>.<i>".
std::vector<Value> add_transformer(Graph& graph, const EncoderGraph& wanted,
                                   const std::string& name, const Value& x_NTC);

// The position table resized to the image's grid, [1, T, C].
Value positions(Graph& graph, const EncoderGraph& wanted);

}  // namespace fcm::interop::onnx
