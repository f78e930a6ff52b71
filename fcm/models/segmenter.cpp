#include "fcm/models/segmenter.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "fcm/base/error.h"
#include "fcm/encoder/maps.h"
#include "fcm/models/taps.h"

namespace fcm::models {
namespace {

constexpr std::string_view kBackbone = "backbone";
constexpr int64_t kAuxMap = 2;  // index of the auxiliary head's map

// Channels of the four maps.
std::array<int64_t, 4> map_channels(const SegmenterOptions& options) {
  const std::vector<int64_t>& dims = options.encoder.dims;
  if (dims.size() == 1) return {dims[0], dims[0], dims[0], dims[0]};
  return {dims[0], dims[1], dims[2], dims[2]};
}

}  // namespace

Segmenter::Segmenter(const SegmenterOptions& options, uint64_t seed, const at::TensorOptions& held)
    : options_(options),
      geometry_{options.encoder.strides},
      grid_{options.rows / geometry_.patch_side(), options.cols / geometry_.patch_side()},
      drop_path_rates_(nn::drop_path_rates(
          options.drop_path,
          std::reduce(options.encoder.depths.begin(), options.encoder.depths.end()))),
      parameters_(std::make_unique<nn::Parameters>(seed, held)) {
  const bool is_vit = encoder::family(options.kind).class_tokens > 0;
  require(!is_vit || options.taps.size() == 4,
          "segmenter: expected taps to be four blocks of a ViT, got [{}]",
          fmt::join(options.taps, ", "));
  const nn::Scope scope(*parameters_), backbone = scope / kBackbone;
  encoder::Embeddings embeddings =
      encoder::add_embeddings(backbone, options.kind, options.encoder.dims.back(), grid_,
                              /*trainable_positions=*/true);
  embeddings.relative_blocks = true;
  encoder_ = encoder::make_encoder(options.kind, backbone, options.encoder, options.channels,
                                   embeddings, {.stages = true});
  if (is_vit) {
    neck_.emplace(scope / "neck", options.encoder.dims.back());
  } else {
    fourth_map_.emplace(backbone, options.encoder.dims.back());
  }
  decode_.emplace(scope / "decode_head",
                  heads::UperNetOptions{map_channels(options), options.head_channels,
                                        options.classes, options.dropout});
  aux_.emplace(scope / "auxiliary_head",
               heads::FcnOptions{map_channels(options)[kAuxMap], options.aux_channels,
                                 options.classes, options.dropout});
  parameters_->flatten();
}

nn::LayerOf Segmenter::layer_of() const {
  return [of_encoder = encoder::layer_of(options_.kind, options_.encoder)](std::string_view name) {
    // An upstream error: its rules for exemption from weight decay never match, because they lack
    // the prefix "backbone." of the names in segmenters. So positions and class token decay, here
    // too.
    const bool inside = name.starts_with(kBackbone);
    nn::Layer layer = of_encoder(inside ? name.substr(kBackbone.size() + 1) : name);
    layer.exempt = false;
    return layer;
  };
}

Segmenter::Draws Segmenter::draw(uint64_t seed, uint64_t epoch,
                                 std::span<const int64_t> sample_ids) const {
  return {nn::draw_drop_path(drop_path_rates_, seed, epoch, sample_ids, device()),
          heads::draw_dropout(options_.dropout, options_.head_channels, "decode_head", seed, epoch,
                              sample_ids, device()),
          heads::draw_dropout(options_.dropout, options_.aux_channels, "auxiliary_head", seed,
                              epoch, sample_ids, device())};
}

std::vector<at::Tensor> Segmenter::maps(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan,
                                        at::ScalarType compute, const nn::DropPath& drop_path,
                                        const heads::HeadPass& pass,
                                        const nn::Observer& observer) const {
  require(plan.sizes.size() == 1 && plan.kept == 1,
          "Segmenter: got a plan of {} views, {} of them kept; expected masks::full_plan",
          plan.sizes.size(), plan.kept);
  parameters_->round(compute);
  Taps taps(options_.kind, options_.encoder, options_.taps, observer);
  const nn::Observer watch = [&taps](const std::string& name, const at::Tensor& value) {
    taps(name, value);
  };
  const encoder::Features seen = (*encoder_)(pixels_BLPD.to(compute), plan, watch, drop_path);
  std::vector<at::Tensor> maps;
  if (neck_) {
    for (const at::Tensor& tokens_BTC : taps.results()) {  // class token first
      maps.push_back(
          tokens_BTC.narrow(1, 1, plan.patches()).unflatten(1, {plan.grid.rows, plan.grid.cols}));
    }
    maps = (*neck_)(maps, pass.ranks);
  } else {
    for (size_t stage = 0; stage < seen.stages_BKPC.size(); ++stage) {
      maps.push_back(encoder::map_of_stage(seen.stages_BKPC[stage], plan.grid, geometry_,
                                           static_cast<int64_t>(stage)));
    }
    maps.push_back((*fourth_map_)(maps.back(), pass.ranks));
  }
  for (size_t i = 0; i < maps.size(); ++i) {
    nn::observe(observer, "feature", static_cast<int64_t>(i), maps[i]);
  }
  return maps;
}

Segmenter::Logits Segmenter::train(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan,
                                   at::ScalarType compute, const Draws& draws,
                                   const std::shared_ptr<dist::Group>& group,
                                   const nn::Observer& observer) {
  heads::HeadPass pass{group, draws.decode_BC};
  const std::vector<at::Tensor> maps_BHWC =
      maps(pixels_BLPD, plan, compute, draws.drop_path, pass, observer);
  Logits logits;
  logits.decode_BHWK = (*decode_)(maps_BHWC, pass);
  pass.dropout_BC = draws.aux_BC;
  logits.aux_BHWK = (*aux_)(maps_BHWC[kAuxMap], pass);
  return logits;
}

at::Tensor Segmenter::evaluate(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan,
                               at::ScalarType compute, const nn::Observer& observer) const {
  const heads::HeadPass pass{};
  return (*decode_)(maps(pixels_BLPD, plan, compute, {}, pass, observer), pass);
}

namespace {

// The cost of the heads for one image of `patches` patches of 16 x 16 pixels.
nn::Cost heads_cost(const SegmenterOptions& options, int64_t patches) {
  const auto of = [](int64_t count) { return static_cast<double>(count); };
  const std::array<int64_t, 4> in = map_channels(options);
  const double e = of(options.head_channels), k = of(options.classes), taps = 9;
  const std::array<double, 4> cells{16 * of(patches), 4 * of(patches), of(patches),
                                    of(patches) / 4};
  nn::Cost sum;
  for (size_t i = 0; i < 4; ++i) {
    sum.multiply_adds += taps * e * e * cells[i];  // fpn_bottleneck, mixed before it is upsampled
    if (i == 3) break;
    sum.multiply_adds += (of(in[i]) + taps * e) * e * cells[i];  // lateral and fpn convolutions
  }
  sum.multiply_adds += taps * (of(in[3]) + 4 * e) * e * cells[3] + e * k * cells[0];
  sum.multiply_adds += taps * of(in[3]) * of(in[3]) * cells[3];  // fourth map
  const double aux = of(options.aux_channels);
  sum.multiply_adds += (taps * of(in[kAuxMap]) + k) * aux * cells[kAuxMap];
  // Inputs and outputs of convolutions; everything else is recomputed in backward.
  sum.kept = (5 * cells[0] + 4 * cells[1] + 4 * cells[2] + 12 * cells[3]) * e + 2 * cells[0] * k;
  return sum;
}

}  // namespace

nn::Cost cost(const SegmenterOptions& options) {
  const ops::PatchGeometry geometry{options.encoder.strides};
  masks::ViewPlan plan;
  plan.grid = {options.rows / geometry.patch_side(), options.cols / geometry.patch_side()};
  plan.sizes = {plan.grid.patches()};
  plan.kept = 1;
  // Slightly too high: counts the fused stages of pretraining, which a segmenter does not have.
  nn::Cost sum = encoder::family(options.kind)
                     .cost(options.encoder, options.channels, plan, {.norm = true, .fuse = true});
  sum += heads_cost(options, plan.grid.patches());
  return sum;
}

}  // namespace fcm::models
