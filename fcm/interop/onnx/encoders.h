// Encoders as ONNX nodes: upstream weights on maps [N, C, H, W] and tokens in raster order, all
// patches visible.
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

// An encoder and the outputs to export.
struct EncoderGraph {
  std::string kind = {};    // as in encoder/registry.h
  std::string prefix = {};  // prefix of the weights' names: "", "backbone."
  encoder::EncoderOptions options = {};
  masks::Grid grid = {};            // patches of the image
  masks::Grid positions = {};       // grid of the position table; 0 x 0: the same as `grid`
  bool norm = false, fuse = false;  // as in encoder::Outputs
  // class_token: whether there is one. The other two are as in encoder::Embeddings.
  bool class_token = false, relative_blocks = false, attends_to_padding = false;
  std::optional<encoder::Windowed> windowed = {};
  std::vector<int64_t> taps = {};  // ViT: indices of the blocks whose outputs are exported
};

// The outputs of an encoder.
struct Encoded {
  Value tokens_NLC;              // patch tokens after the last block
  Value latent_NLC;              // with EncoderGraph::norm, else empty
  Value class_NC;                // class token, normed with EncoderGraph::norm; else empty
  std::vector<Value> maps_NCHW;  // of each stage of a ConvViT or a Swin
  std::vector<Value> taps_NLC;   // in the order of EncoderGraph::taps
};

// pixels [N, C, H, W], normalised.
Encoded add_encoder(Graph& graph, const EncoderGraph& wanted, const Value& pixels);

// One function per kind.
Encoded add_conv_vit(Graph& graph, const EncoderGraph& wanted, const Value& pixels);
Encoded add_vit(Graph& graph, const EncoderGraph& wanted, const Value& pixels);
Encoded add_swin(Graph& graph, const EncoderGraph& wanted, const Value& pixels);

}  // namespace fcm::interop::onnx
