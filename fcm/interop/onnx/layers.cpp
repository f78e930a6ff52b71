#include "fcm/interop/onnx/layers.h"

#include <numbers>

namespace fcm::interop::onnx {

Value linear(Graph& graph, const std::string& place, const Value& x, bool bias) {
  const Value product = graph.add(place, "MatMul", {x, graph.transposed(place + ".weight")});
  return bias ? graph.add(place, "Add", {product, graph.weight(place + ".bias")}) : product;
}

Value layer_norm(Graph& graph, const std::string& place, const Value& x, double epsilon) {
  return graph.add(place, "LayerNormalization",
                   {x, graph.weight(place + ".weight"), graph.weight(place + ".bias")},
                   {{"axis", int64_t{-1}}, {"epsilon", static_cast<float>(epsilon)}});
}

Value gelu(Graph& graph, const std::string& place, const Value& x) {
  const Value scaled = graph.add(place, "Div", {x, graph.number(std::numbers::sqrt2)});
  const Value above = graph.add(place, "Add", {graph.add(place, "Erf", {scaled}), graph.number(1)});
  return graph.add(place, "Mul", {graph.add(place, "Mul", {x, above}), graph.number(0.5)});
}

Value relu(Graph& graph, const std::string& place, const Value& x) {
  return graph.add(place, "Relu", {x});
}

Value convolution(Graph& graph, const std::string& place, const Value& x,
                  const Convolution& options) {
  std::vector<Value> inputs{x, graph.weight(place + ".weight")};
  if (options.bias) inputs.push_back(graph.weight(place + ".bias"));
  const int64_t padding = options.padding;
  return graph.add(place, "Conv", inputs,
                   {{"kernel_shape", Shape{options.side, options.side}},
                    {"strides", Shape{options.stride, options.stride}},
                    {"pads", Shape{padding, padding, padding, padding}},
                    {"group", options.groups}});
}

Value doubling_convolution(Graph& graph, const std::string& place, const Value& x) {
  return graph.add(place, "ConvTranspose",
                   {x, graph.weight(place + ".weight"), graph.weight(place + ".bias")},
                   {{"kernel_shape", Shape{2, 2}}, {"strides", Shape{2, 2}}});
}

Value map_layer_norm(Graph& graph, const std::string& place, const Value& x, double epsilon) {
  const Value last = graph.transpose(place, x, {0, 2, 3, 1});
  return graph.transpose(place, layer_norm(graph, place, last, epsilon), {0, 3, 1, 2});
}

Value batch_norm(Graph& graph, const std::string& place, const Value& x, double epsilon) {
  return graph.add(place, "BatchNormalization",
                   {x, graph.weight(place + ".weight"), graph.weight(place + ".bias"),
                    graph.weight(place + ".running_mean"), graph.weight(place + ".running_var")},
                   {{"epsilon", static_cast<float>(epsilon)}});
}

Value halved_by_maximum(Graph& graph, const std::string& place, const Value& x) {
  return graph.add(place, "MaxPool", {x},
                   {{"kernel_shape", Shape{2, 2}}, {"strides", Shape{2, 2}}});
}

Value tokens_of_map(Graph& graph, const std::string& place, const Value& map_NCHW,
                    int64_t channels) {
  return graph.transpose(place, graph.reshape(place, map_NCHW, {kKeepDim, channels, kInferDim}),
                         {0, 2, 1});
}

Value map_of_tokens(Graph& graph, const std::string& place, const Value& tokens_NLC,
                    int64_t channels, masks::Grid grid) {
  return graph.reshape(place, graph.transpose(place, tokens_NLC, {0, 2, 1}),
                       {kKeepDim, channels, grid.rows, grid.cols});
}

Value mlp(Graph& graph, const std::string& place, const Value& x) {
  return linear(graph, place + ".fc2",
                gelu(graph, place + ".act", linear(graph, place + ".fc1", x)));
}

}  // namespace fcm::interop::onnx
