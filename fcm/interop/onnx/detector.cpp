// Detectors up to their pyramid.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include "fcm/interop/onnx/encoders.h"
#include "fcm/interop/onnx/layers.h"
#include "fcm/interop/onnx/models.h"
#include "fcm/interop/onnx/pixels.h"
#include "fcm/nn/layers.h"

namespace fcm::interop::onnx {
namespace {

using formats::kAnyBatch;
using models::BackboneForm;

struct TrunkMap {
  Value value;  // [N, channels, rows / stride, cols / stride]
  int64_t channels = 0, stride = 0;
};

// GroupNorm with 32 groups, built on InstanceNormalization because opset 17 has no
// GroupNormalization.
Value group_norm(Graph& graph, const std::string& place, const Value& x_NCHW, int64_t channels,
                 int64_t rows, int64_t cols) {
  constexpr int64_t kGroups = 32;
  const Value groups = graph.reshape(place, x_NCHW, {kKeepDim, kGroups, kInferDim});
  const Value normed = graph.add(place, "InstanceNormalization",
                                 {groups, graph.constant(place + "/ones", at::ones({kGroups})),
                                  graph.constant(place + "/zeros", at::zeros({kGroups}))},
                                 {{"epsilon", 1e-5F}});
  const auto by_channel = [&](const char* leaf) {
    return graph.reshape(place, graph.weight(place + leaf), {channels, 1, 1});
  };
  const Value scaled = graph.add(
      place, "Mul",
      {graph.reshape(place, normed, {kKeepDim, channels, rows, cols}), by_channel(".weight")});
  return graph.add(place, "Add", {scaled, by_channel(".bias")});
}

// The four maps of MIMDet's neck of a ViT (heads/vit_adaptor.h).
std::vector<TrunkMap> adapted(Graph& graph, const std::string& prefix, const Encoded& seen,
                              int64_t dim, masks::Grid grid, int64_t stride) {
  std::vector<Value> maps;
  for (size_t i = 0; i < seen.taps_NLC.size(); ++i) {
    maps.push_back(
        map_of_tokens(graph, fmt::format("{}map{}", prefix, i), seen.taps_NLC[i], dim, grid));
  }
  const std::string four = prefix + "ms_adaptor.0", two = prefix + "ms_adaptor.1";
  Value finest = doubling_convolution(graph, four + ".0", maps[0]);
  finest = gelu(graph, four + ".2",
                group_norm(graph, four + ".1", finest, dim, 2 * grid.rows, 2 * grid.cols));
  return {{doubling_convolution(graph, four + ".3", finest), dim, stride / 4},
          {doubling_convolution(graph, two, maps[1]), dim, stride / 2},
          {maps[2], dim, stride},
          {halved_by_maximum(graph, prefix + "ms_adaptor.3", maps[3]), dim, 2 * stride}};
}

// The backbone's maps, finest first.
std::vector<TrunkMap> backbone_maps(Graph& graph, const models::DetectorBackboneOptions& options,
                                    const EncoderGraph& wanted, const Encoded& seen) {
  const std::vector<int64_t>& dims = options.encoder.dims;
  const int64_t patch = options.encoder.patch_side();
  if (!seen.taps_NLC.empty()) {
    return adapted(graph, wanted.prefix, seen, dims[0], wanted.grid, patch);
  }
  if (options.form == BackboneForm::kDecomposed) {
    return {{seen.maps_NCHW.back(), dims.back(), patch}};
  }
  std::vector<TrunkMap> maps;
  int64_t stride = 1;
  for (size_t stage = 0; stage < dims.size(); ++stage) {
    stride *= options.encoder.strides[stage];
    maps.push_back({seen.maps_NCHW[stage], dims[stage], stride});
  }
  if (maps.size() == 3) {
    maps.push_back({halved_by_maximum(graph, wanted.prefix + "pool", maps.back().value),
                    dims.back(), 2 * stride});
  }
  return maps;
}

// detectron2's LastLevelMaxPool.
Value every_second(Graph& graph, const std::string& place, const Value& x) {
  return graph.add(place, "MaxPool", {x},
                   {{"kernel_shape", Shape{1, 1}}, {"strides", Shape{2, 2}}});
}

// Feature pyramid (heads/feature_pyramid.h): p2 to p6.
std::vector<Value> add_pyramid(Graph& graph, const std::vector<TrunkMap>& maps,
                               const models::DetectorOptions& options) {
  const auto conv = [&](const std::string& place, const Value& x, int64_t side) {
    return batch_norm(
        graph, place + ".norm",
        convolution(graph, place, x, {.side = side, .padding = side / 2, .bias = false}));
  };
  std::vector<Value> levels(maps.size());
  Value coarser;
  for (size_t i = maps.size(); i-- > 0;) {
    const std::string lateral = fmt::format("backbone.fpn_lateral{}", i + 2);
    Value merged = conv(lateral, maps[i].value, 1);
    if (!coarser.empty()) {
      // Broadcasts the coarser map: [N, C, h, 1, w, 1] against [N, C, h, 2, w, 2].
      const int64_t rows = options.backbone.rows / maps[i].stride / 2,
                    cols = options.backbone.cols / maps[i].stride / 2;
      const Value fine =
          graph.reshape(lateral, merged, {kKeepDim, options.channels, rows, 2, cols, 2});
      const Value covering =
          graph.reshape(lateral, coarser, {kKeepDim, options.channels, rows, 1, cols, 1});
      merged = graph.reshape(lateral, graph.add(lateral, "Add", {fine, covering}),
                             {kKeepDim, options.channels, 2 * rows, 2 * cols});
    }
    coarser = merged;
    levels[i] = conv(fmt::format("backbone.fpn_output{}", i + 2), merged, 3);
  }
  levels.push_back(every_second(graph, "backbone.top_block", levels.back()));
  return levels;
}

// Simple feature pyramid (heads/simple_pyramid.h): p2 to p6 from one map.
std::vector<Value> add_simple_pyramid(Graph& graph, const Value& map) {
  const auto conv = [&](const std::string& place, const Value& x, int64_t side) {
    return map_layer_norm(
        graph, place + ".norm",
        convolution(graph, place, x, {.side = side, .padding = side / 2, .bias = false}),
        nn::kNormEpsilon);
  };
  const auto level = [&](const std::string& place, int64_t first, const Value& x) {
    return conv(fmt::format("{}.{}", place, first + 1),
                conv(fmt::format("{}.{}", place, first), x, 1), 3);
  };
  const std::string p2 = "backbone.simfp_2", p3 = "backbone.simfp_3", p4 = "backbone.simfp_4",
                    p5 = "backbone.simfp_5";
  Value finest = doubling_convolution(graph, p2 + ".0", map);
  finest = gelu(graph, p2 + ".2", map_layer_norm(graph, p2 + ".1", finest, nn::kNormEpsilon));
  std::vector<Value> levels{level(p2, 4, doubling_convolution(graph, p2 + ".3", finest)),
                            level(p3, 1, doubling_convolution(graph, p3 + ".0", map)),
                            level(p4, 0, map),
                            level(p5, 1, halved_by_maximum(graph, p5 + ".0", map))};
  levels.push_back(every_second(graph, "backbone.top_block", levels.back()));
  return levels;
}

EncoderGraph trunk_encoder(const models::DetectorBackboneOptions& options, masks::Grid positions) {
  const int64_t patch = options.encoder.patch_side(), depth = options.encoder.depths.back();
  EncoderGraph wanted{.kind = options.kind,
                      .prefix = fmt::format("backbone.{}.", models::backbone_place(options.form)),
                      .options = options.encoder,
                      .grid = {options.rows / patch, options.cols / patch},
                      .positions = positions};
  if (options.kind == "swin") {
    wanted.attends_to_padding = true;
    return wanted;
  }
  const bool decomposed = options.form == BackboneForm::kDecomposed;
  wanted.windowed = encoder::Windowed{.grid = wanted.grid,
                                      .window = options.window,
                                      .global_blocks = options.global_blocks,
                                      .decomposed = decomposed};
  if (decomposed) wanted.windowed->conv_norm_epsilon = nn::kNormEpsilon;
  if (options.kind == "vit") {
    for (int64_t quarter = 1; quarter <= 4; ++quarter) {
      wanted.taps.push_back(quarter * depth / 4 - 1);
    }
  }
  return wanted;
}

}  // namespace

formats::OnnxModel trunk_graph(const models::Detector& model, const Pixels& pixels) {
  const models::DetectorOptions& options = model.options();
  const models::DetectorBackboneOptions& backbone = options.backbone;
  Graph graph({&model.parameters()});
  const EncoderGraph wanted = trunk_encoder(backbone, model.positions_grid());
  const Encoded seen = add_encoder(
      graph, wanted, add_pixels(graph, backbone.channels, backbone.rows, backbone.cols, pixels));
  const std::vector<TrunkMap> maps = backbone_maps(graph, backbone, wanted, seen);
  for (const TrunkMap& map : maps) {
    graph.add_output(
        fmt::format("backbone_stride{}", map.stride), map.value,
        {kAnyBatch, map.channels, backbone.rows / map.stride, backbone.cols / map.stride});
  }
  const std::vector<Value> levels = backbone.form == BackboneForm::kDecomposed
                                        ? add_simple_pyramid(graph, maps.back().value)
                                        : add_pyramid(graph, maps, options);
  // The coarsest level has every second position of the level before it, from the first on.
  const int64_t finest = maps.size() == 1 ? maps[0].stride / 4 : maps[0].stride;
  for (size_t i = 0; i < levels.size(); ++i) {
    const bool coarsest = i + 1 == levels.size();
    const auto size = [&](int64_t of_frame) {
      const int64_t positions = of_frame / (finest << (coarsest ? i - 1 : i));
      return coarsest ? (positions + 1) / 2 : positions;
    };
    graph.add_output(fmt::format("p{}", i + 2), levels[i],
                     {kAnyBatch, options.channels, size(backbone.rows), size(backbone.cols)});
  }
  return graph.take();
}

}  // namespace fcm::interop::onnx
