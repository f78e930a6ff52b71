// Graphs of encoders alone and of classifiers.
#include <ATen/ATen.h>

#include "fcm/encoder/registry.h"
#include "fcm/heads/linear.h"
#include "fcm/interop/onnx/encoders.h"
#include "fcm/interop/onnx/layers.h"
#include "fcm/interop/onnx/models.h"
#include "fcm/interop/onnx/pixels.h"

namespace fcm::interop::onnx {
namespace {

using formats::kAnyBatch;

// The mean of tokens [N, L, C] -> [N, C].
Value mean_of(Graph& graph, const std::string& place, const Value& tokens_NLC) {
  return graph.add(place, "ReduceMean", {tokens_NLC},
                   {{"axes", Shape{1}}, {"keepdims", int64_t{0}}});
}

EncoderGraph encoder_of(const models::ClassifierOptions& options, masks::Grid grid) {
  return {.kind = options.kind,
          .prefix = "",
          .options = options.encoder,
          .grid = grid,
          .class_token = encoder::family(options.kind).class_tokens > 0};
}

// The head's input, [N, C].
Value pooled(Graph& graph, const models::Classifier& model, const Pixels& pixels) {
  const models::ClassifierOptions& options = model.options();
  EncoderGraph wanted = encoder_of(options, model.grid());
  wanted.norm = heads::LinearHead::wanted(model.pool()).norm;
  const Encoded seen = add_encoder(
      graph, wanted, add_pixels(graph, options.channels, options.rows, options.cols, pixels));
  switch (model.pool()) {
    case heads::Pool::kMeanOfLatents:
      return mean_of(graph, "pool", seen.latent_NLC);
    case heads::Pool::kMeanOfTokens:
      return layer_norm(graph, "fc_norm", mean_of(graph, "pool", seen.tokens_NLC),
                        options.encoder.norm_epsilon);
    case heads::Pool::kToken:
      break;
  }
  if (!seen.class_NC.empty()) return seen.class_NC;
  return graph.add("pool", "Gather", {seen.latent_NLC, graph.index(0)}, {{"axis", int64_t{1}}});
}

// A linear layer on vectors, [N, C] -> [N, classes].
Value classified(Graph& graph, const std::string& place, const Value& x_NC) {
  return graph.add(place, "Gemm",
                   {x_NC, graph.weight(place + ".weight"), graph.weight(place + ".bias")},
                   {{"transB", int64_t{1}}});
}

}  // namespace

formats::OnnxModel features_graph(const models::MaskedAutoencoder& model, const Pixels& pixels) {
  const models::AutoencoderOptions& options = model.options();
  const int64_t dim = options.encoder.dims.back();
  Graph graph({&model.parameters()});
  const EncoderGraph wanted{.kind = options.kind,
                            .prefix = "",
                            .options = options.encoder,
                            .grid = model.grid(),
                            .norm = true,
                            .fuse = true,
                            .class_token = encoder::family(options.kind).class_tokens > 0};
  const Encoded seen = add_encoder(
      graph, wanted, add_pixels(graph, options.channels, options.rows, options.cols, pixels));
  graph.add_output("tokens", seen.latent_NLC, {kAnyBatch, model.grid().patches(), dim});
  graph.add_output("features", mean_of(graph, "pool", seen.latent_NLC), {kAnyBatch, dim});
  if (!seen.class_NC.empty()) graph.add_output("class_token", seen.class_NC, {kAnyBatch, dim});
  return graph.take();
}

formats::OnnxModel classes_graph(const models::Classifier& model, const Pixels& pixels) {
  Graph graph({&model.parameters()});
  graph.add_output("logits", classified(graph, "head", pooled(graph, model, pixels)),
                   {kAnyBatch, model.options().classes});
  return graph.take();
}

formats::OnnxModel classes_graph(const models::Classifier& encoder, const nn::Parameters& head,
                                 int64_t classes, const Pixels& pixels) {
  constexpr float kProbeEpsilon = 1e-6F;
  const int64_t dim = encoder.options().encoder.dims.back();
  Graph graph({&head, &encoder.parameters()});
  const Value features_NC = pooled(graph, encoder, pixels);
  const Value normed =
      graph.add("head.0", "BatchNormalization",
                {features_NC, graph.constant("head.0/ones", at::ones({dim})),
                 graph.constant("head.0/zeros", at::zeros({dim})),
                 graph.weight("head.0.running_mean"), graph.weight("head.0.running_var")},
                {{"epsilon", kProbeEpsilon}});
  graph.add_output("logits", classified(graph, "head.1", normed), {kAnyBatch, classes});
  return graph.take();
}

}  // namespace fcm::interop::onnx
