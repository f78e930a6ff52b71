// Encoders as nodes: published weights on maps [N, C, H, W] and tokens in raster order, all patches
// seen.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "fcm/encoder/encoder.h"
#include "fcm/encoder/options.h"
#include "fcm/interop/onnx/graph.h"
#include "fcm/masks/view_plan.h"

namespace fcm::interop::onnx {

// Which encoder, and what is wanted of it.
struct EncoderGraph {
  std::string kind = {};    // as in encoder/registry.h
  std::string prefix = {};  // of the weights' names: "", "backbone."
  encoder::EncoderOptions options = {};
  masks::Grid grid = {};       // of the pictures
  masks::Grid positions = {};  // of the table of positions, where it is another one; empty: `grid`
  bool norm = false, fuse = false;  // as in encoder::Outputs
  // As in encoder::Embeddings.
  bool class_token = false, relative_blocks = false, filled_windows = false;
  std::optional<encoder::Windowed> windowed = {};
  std::vector<int64_t> taps = {};  // of a ViT: blocks whose results are asked for
};

// What it makes.
struct Encoded {
  Value tokens_NLC;              // of patches, the results of the last block
  Value latent_NLC;              // of EncoderGraph::norm, else empty
  Value class_NC;                // of a class token, with the norm where there is one; else empty
  std::vector<Value> maps_NCHW;  // of every stage of a ConvViT or a Swin
  std::vector<Value> taps_NLC;   // in their order
};

// pixels [N, C, H, W], normalised.
Encoded add_encoder(Graph& graph, const EncoderGraph& wanted, const Value& pixels);

// Of one kind each.
Encoded add_conv_vit(Graph& graph, const EncoderGraph& wanted, const Value& pixels);
Encoded add_vit(Graph& graph, const EncoderGraph& wanted, const Value& pixels);
Encoded add_swin(Graph& graph, const EncoderGraph& wanted, const Value& pixels);

}  // namespace fcm::interop::onnx
