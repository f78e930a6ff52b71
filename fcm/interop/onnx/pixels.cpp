#include "fcm/interop/onnx/pixels.h"

#include <ATen/ATen.h>

#include "fcm/base/error.h"

namespace fcm::interop::onnx {

Value add_pixels(Graph& graph, int64_t channels, int64_t rows, int64_t cols, const Pixels& pixels) {
  require(std::ssize(pixels.mean) == channels && std::ssize(pixels.stddev) == channels,
          "onnx: expected one mean and std per channel, got {} and {} for {} channels",
          pixels.mean.size(), pixels.stddev.size(), channels);
  const auto by_channel = [&](const char* name, const std::vector<double>& values) {
    return graph.constant(name, at::tensor(values, at::kDouble).view({channels, 1, 1}));
  };
  graph.add_input("pixels", {formats::kAnyBatch, channels, rows, cols});
  const Value centred =
      graph.add("normalise", "Sub", {"pixels", by_channel("normalise/mean", pixels.mean)});
  return graph.add("normalise", "Div", {centred, by_channel("normalise/deviation", pixels.stddev)});
}

}  // namespace fcm::interop::onnx
