// ConvViT: models_convvit.py; the fused stages follow models_fastconvmae.py.
#include <fmt/format.h>

#include "fcm/encoder/conv_stage.h"
#include "fcm/interop/onnx/encoders.h"
#include "fcm/interop/onnx/layers.h"
#include "fcm/interop/onnx/transformer.h"

namespace fcm::interop::onnx {
namespace {

// Strided convolution, norm, GELU: [N, C, H, W].
Value patch_embedding(Graph& graph, const std::string& place, const Value& x, int64_t stride) {
  const Value cells = convolution(graph, place + ".proj", x, {.side = stride, .stride = stride});
  return gelu(graph, place + ".act",
              map_layer_norm(graph, place + ".norm", cells, encoder::kConvNormEpsilon));
}

// Upstream's CBlock.
Value conv_block(Graph& graph, const std::string& place, const Value& x, int64_t channels,
                 double epsilon) {
  const auto pointwise = [&](const std::string& name, const Value& value) {
    return convolution(graph, place + name, value, {});
  };
  Value branch = pointwise(".conv1", map_layer_norm(graph, place + ".norm1", x, epsilon));
  branch =
      convolution(graph, place + ".attn", branch, {.side = 5, .padding = 2, .groups = channels});
  const Value mixed = graph.add(place, "Add", {x, pointwise(".conv2", branch)});
  branch = pointwise(".mlp.fc1", map_layer_norm(graph, place + ".norm2", mixed, epsilon));
  branch = pointwise(".mlp.fc2", gelu(graph, place + ".mlp.act", branch));
  return graph.add(place, "Add", {mixed, branch});
}

// A stage's map projected to tokens of the last stage.
Value fused(Graph& graph, const std::string& place, const Value& map, int64_t stride,
            int64_t channels) {
  return tokens_of_map(
      graph, place, convolution(graph, place, map, {.side = stride, .stride = stride}), channels);
}

}  // namespace

Encoded add_conv_vit(Graph& graph, const EncoderGraph& wanted, const Value& pixels) {
  const encoder::EncoderOptions& options = wanted.options;
  const std::string& prefix = wanted.prefix;
  const double epsilon =
      wanted.windowed ? wanted.windowed->conv_norm_epsilon : encoder::kConvNormEpsilon;
  Encoded encoded;
  std::vector<Value> of_stages;  // [N, L, C3]
  Value x = pixels;
  int64_t side = options.patch_side();  // side of a patch in cells
  for (size_t stage = 0; stage < 2; ++stage) {
    x = patch_embedding(graph, fmt::format("{}patch_embed{}", prefix, stage + 1), x,
                        options.strides[stage]);
    side /= options.strides[stage];
    for (int64_t i = 0; i < options.depths[stage]; ++i) {
      x = conv_block(graph, fmt::format("{}blocks{}.{}", prefix, stage + 1, i), x,
                     options.dims[stage], epsilon);
    }
    encoded.maps_NCHW.push_back(x);
    if (!wanted.fuse) continue;
    of_stages.push_back(fused(graph, fmt::format("{}stage{}_output_decode", prefix, stage + 1), x,
                              side, options.dims[2]));
  }
  x = patch_embedding(graph, prefix + "patch_embed3", x, options.strides[2]);
  const int64_t dim = options.dims[2];
  x = linear(graph, prefix + "patch_embed4", tokens_of_map(graph, prefix + "patch_embed4", x, dim));
  x = graph.add(prefix + "pos_embed", "Add", {x, positions(graph, wanted)});
  encoded.tokens_NLC = add_transformer(graph, wanted, "blocks3", x).back();
  encoded.maps_NCHW.push_back(
      map_of_tokens(graph, prefix + "blocks3", encoded.tokens_NLC, dim, wanted.grid));
  if (!wanted.norm) return encoded;
  x = encoded.tokens_NLC;
  for (const Value& stage : of_stages) x = graph.add(prefix + "norm", "Add", {x, stage});
  encoded.latent_NLC = layer_norm(graph, prefix + "norm", x, options.norm_epsilon);
  return encoded;
}

}  // namespace fcm::interop::onnx
