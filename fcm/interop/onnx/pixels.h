// The input of every graph.
#pragma once

#include <cstdint>

#include "fcm/interop/onnx/graph.h"
#include "fcm/interop/onnx/models.h"

namespace fcm::interop::onnx {

// Adds the input "pixels" [N, channels, rows, cols], and returns it normalised.
Value add_pixels(Graph& graph, int64_t channels, int64_t rows, int64_t cols, const Pixels& pixels);

}  // namespace fcm::interop::onnx
