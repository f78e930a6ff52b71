// Segmenters: four maps of the encoder, then UperNet.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <array>

#include "fcm/encoder/registry.h"
#include "fcm/interop/onnx/encoders.h"
#include "fcm/interop/onnx/layers.h"
#include "fcm/interop/onnx/models.h"
#include "fcm/interop/onnx/pixels.h"
#include "fcm/nn/upsample.h"

namespace fcm::interop::onnx {
namespace {

using formats::kAnyBatch;

struct Map {
  Value value;  // [N, C, rows, cols]
  int64_t rows = 0, cols = 0;
};

// mmsegmentation's ConvModule.
Value conv_module(Graph& graph, const std::string& place, const Value& x, int64_t side) {
  const Value mixed =
      convolution(graph, place + ".conv", x, {.side = side, .padding = side / 2, .bias = false});
  return relu(graph, place + ".activate", batch_norm(graph, place + ".bn", mixed));
}

// Resizes or pools a map, both of which are linear: multiplies by one matrix for the rows and one
// for the columns.
Value resampled(Graph& graph, const std::string& place, const Value& x, const at::Tensor& rows_RH,
                const at::Tensor& cols_SW) {
  const Value down = graph.add(place, "MatMul", {graph.constant(place + "/rows", rows_RH), x});
  return graph.add(place, "MatMul",
                   {down, graph.constant(place + "/columns", cols_SW.t().contiguous())});
}

// Bilinear upsampling, with align_corners off.
Value upsampled(Graph& graph, const std::string& place, const Map& map, int64_t rows,
                int64_t cols) {
  if (map.rows == rows && map.cols == cols) return map.value;
  return resampled(graph, place, map.value, nn::bilinear_matrix(map.rows, rows),
                   nn::bilinear_matrix(map.cols, cols));
}

// UperNet's pyramid pooling: concatenates the coarsest map with its means over 1, 2 x 2, 3 x 3 and
// 6 x 6 bins, and mixes them.
Map coarsest(Graph& graph, const std::string& place, const Map& map) {
  constexpr std::array<int64_t, 4> kPools{1, 2, 3, 6};
  std::vector<Value> all{map.value};
  for (size_t i = 0; i < kPools.size(); ++i) {
    const std::string module = fmt::format("{}.psp_modules.{}", place, i);
    const Value bins =
        resampled(graph, module + ".0", map.value, nn::pooling_matrix(map.rows, kPools[i]),
                  nn::pooling_matrix(map.cols, kPools[i]));
    const Map pooled{conv_module(graph, module + ".1", bins, 1), kPools[i], kPools[i]};
    all.push_back(upsampled(graph, module + ".upsample", pooled, map.rows, map.cols));
  }
  const std::string bottleneck = place + ".bottleneck";
  const Value together = graph.add(bottleneck, "Concat", all, {{"axis", int64_t{1}}});
  return {conv_module(graph, bottleneck, together, 3), map.rows, map.cols};
}

// Logits at the size of the finest map.
Map add_upernet(Graph& graph, const std::string& place, const std::vector<Map>& maps) {
  Map lateral = coarsest(graph, place, maps.back());
  std::vector<Map> levels{lateral};  // finest first
  for (size_t i = maps.size() - 1; i-- > 0;) {
    const std::string own = fmt::format("{}.lateral_convs.{}", place, i);
    const Value coarser = upsampled(graph, own + ".upsample", lateral, maps[i].rows, maps[i].cols);
    lateral = {graph.add(own, "Add", {conv_module(graph, own, maps[i].value, 1), coarser}),
               maps[i].rows, maps[i].cols};
    levels.insert(levels.begin(),
                  {conv_module(graph, fmt::format("{}.fpn_convs.{}", place, i), lateral.value, 3),
                   lateral.rows, lateral.cols});
  }
  const std::string bottleneck = place + ".fpn_bottleneck";
  std::vector<Value> all;
  for (size_t i = 0; i < levels.size(); ++i) {
    all.push_back(upsampled(graph, fmt::format("{}.upsample.{}", bottleneck, i), levels[i],
                            levels[0].rows, levels[0].cols));
  }
  const Value together = graph.add(bottleneck, "Concat", all, {{"axis", int64_t{1}}});
  const Value mixed = conv_module(graph, bottleneck, together, 3);
  return {convolution(graph, place + ".conv_seg", mixed, {}), levels[0].rows, levels[0].cols};
}

// The outputs of a ConvViT's three stages, and a fourth map of about half the size of the third
// (heads/fourth_map.h).
std::vector<Map> maps_of_stages(Graph& graph, const std::string& prefix, const Encoded& seen,
                                const encoder::EncoderOptions& options, masks::Grid grid) {
  std::vector<Map> maps;
  int64_t side = options.patch_side();
  for (size_t stage = 0; stage < seen.maps_NCHW.size(); ++stage) {
    side /= options.strides[stage];
    maps.push_back({seen.maps_NCHW[stage], grid.rows * side, grid.cols * side});
  }
  const std::string place = prefix + "fpn";
  const Value halved =
      convolution(graph, place + ".0", maps.back().value, {.side = 3, .stride = 2});
  maps.push_back({gelu(graph, place + ".2", batch_norm(graph, place + ".1", halved)),
                  (grid.rows - 3) / 2 + 1, (grid.cols - 3) / 2 + 1});
  return maps;
}

// The four maps of upstream's neck of a ViT (heads/vit_neck.h).
std::vector<Map> maps_of_taps(Graph& graph, const Encoded& seen, int64_t dim, masks::Grid grid) {
  std::vector<Value> maps;
  for (size_t i = 0; i < seen.taps_NLC.size(); ++i) {
    maps.push_back(map_of_tokens(graph, fmt::format("neck.map{}", i), seen.taps_NLC[i], dim, grid));
  }
  const std::string four = "neck.upsample_4x", two = "neck.upsample_2x.0";
  Value finest = doubling_convolution(graph, four + ".0", maps[0]);
  finest = gelu(graph, four + ".2", batch_norm(graph, four + ".1", finest));
  return {{doubling_convolution(graph, four + ".3", finest), 4 * grid.rows, 4 * grid.cols},
          {doubling_convolution(graph, two, maps[1]), 2 * grid.rows, 2 * grid.cols},
          {maps[2], grid.rows, grid.cols},
          {halved_by_maximum(graph, "neck.downsample_2x", maps[3]), grid.rows / 2, grid.cols / 2}};
}

}  // namespace

formats::OnnxModel map_graph(const models::Segmenter& model, const Pixels& pixels) {
  const models::SegmenterOptions& options = model.options();
  const bool is_vit = encoder::family(options.kind).class_tokens > 0;
  const masks::Grid grid = model.grid();
  const int64_t rows = options.rows, cols = options.cols;
  Graph graph({&model.parameters()});
  const EncoderGraph wanted{.kind = options.kind,
                            .prefix = "backbone.",
                            .options = options.encoder,
                            .grid = grid,
                            .class_token = is_vit,
                            .relative_blocks = true,
                            .taps = options.taps};
  const Encoded seen =
      add_encoder(graph, wanted, add_pixels(graph, options.channels, rows, cols, pixels));
  const std::vector<Map> maps =
      is_vit ? maps_of_taps(graph, seen, options.encoder.dims.back(), grid)
             : maps_of_stages(graph, wanted.prefix, seen, options.encoder, grid);
  const Map logits = add_upernet(graph, "decode_head", maps);
  graph.add_output("logits", logits.value, {kAnyBatch, options.classes, logits.rows, logits.cols});
  const Value largest = graph.add("map", "ArgMax", {upsampled(graph, "map", logits, rows, cols)},
                                  {{"axis", int64_t{1}}, {"keepdims", int64_t{0}}});
  graph.add_output("map", largest, {kAnyBatch, rows, cols}, formats::OnnxType::kInt64);
  return graph.take();
}

}  // namespace fcm::interop::onnx
