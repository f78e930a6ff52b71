// ViT: models_vit.py, with a class token or, in detectors, without.
#include <fmt/format.h>

#include "fcm/interop/onnx/encoders.h"
#include "fcm/interop/onnx/layers.h"
#include "fcm/interop/onnx/transformer.h"

namespace fcm::interop::onnx {
namespace {

// Prepends the class token to every image's patches.
Value behind_class_token(Graph& graph, const std::string& prefix, const Value& x_NLC, int64_t dim) {
  const std::string place = prefix + "cls_token";
  const Value batch =
      graph.add(place, "Shape", {x_NLC}, {{"start", int64_t{0}}, {"end", int64_t{1}}});
  const Value shape =
      graph.add(place, "Concat", {batch, graph.numbers({1, dim})}, {{"axis", int64_t{0}}});
  const Value tokens_N1C = graph.add(place, "Expand", {graph.weight(place), shape});
  return graph.add(place, "Concat", {tokens_N1C, x_NLC}, {{"axis", int64_t{1}}});
}

Value patches_of(Graph& graph, const std::string& place, const Value& x_NTC,
                 const EncoderGraph& wanted) {
  if (!wanted.class_token) return x_NTC;
  return graph.add(
      place, "Slice",
      {x_NTC, graph.numbers({1}), graph.numbers({1 + wanted.grid.patches()}), graph.numbers({1})});
}

}  // namespace

Encoded add_vit(Graph& graph, const EncoderGraph& wanted, const Value& pixels) {
  const encoder::EncoderOptions& options = wanted.options;
  const std::string& prefix = wanted.prefix;
  const int64_t dim = options.dims[0], stride = options.strides[0];
  const std::string embedding = prefix + "patch_embed.proj";
  const Value map = convolution(graph, embedding, pixels, {.side = stride, .stride = stride});
  Value x = tokens_of_map(graph, embedding, map, dim);
  if (wanted.class_token) x = behind_class_token(graph, prefix, x, dim);
  x = graph.add(prefix + "pos_embed", "Add", {x, positions(graph, wanted)});
  const std::vector<Value> results = add_transformer(graph, wanted, "blocks", x);
  Encoded encoded;
  for (const int64_t block : wanted.taps) {
    encoded.taps_NLC.push_back(patches_of(graph, fmt::format("{}blocks.{}", prefix, block),
                                          results[static_cast<size_t>(block)], wanted));
  }
  encoded.tokens_NLC = patches_of(graph, prefix + "blocks", results.back(), wanted);
  if (!wanted.norm) return encoded;
  const std::string norm = prefix + "norm";
  x = layer_norm(graph, norm, results.back(), options.norm_epsilon);
  encoded.latent_NLC = patches_of(graph, norm, x, wanted);
  if (wanted.class_token) {
    encoded.class_NC = graph.add(norm, "Gather", {x, graph.index(0)}, {{"axis", int64_t{1}}});
  }
  return encoded;
}

}  // namespace fcm::interop::onnx
