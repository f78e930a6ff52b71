#include "fcm/models/detector_backbone.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

#include "fcm/base/error.h"
#include "fcm/base/relative_table.h"
#include "fcm/encoder/maps.h"
#include "fcm/encoder/registry.h"
#include "fcm/models/taps.h"
#include "fcm/nn/positions.h"

namespace fcm::models {
namespace {

constexpr const char* kSwinKind = "swin";
constexpr int64_t kPretrained = 14;       // patch rows and columns in pretraining
constexpr double kSwinMapEpsilon = 1e-5;  // of the norms of Swin's maps

bool is_swin(const DetectorBackboneOptions& options) { return options.kind == kSwinKind; }
bool is_decomposed(const DetectorBackboneOptions& options) {
  return options.form == BackboneForm::kDecomposed;
}
// A ViT: its maps come from blocks, not from stages.
bool has_one_stage(const DetectorBackboneOptions& options) {
  return options.encoder.dims.size() == 1;
}

masks::Grid grid_of(const DetectorBackboneOptions& options) {
  const int64_t side = ops::PatchGeometry{options.encoder.strides}.patch_side();
  if (options.rows < side || options.cols < side || options.rows % side != 0 ||
      options.cols % side != 0) {
    fail(ExitCode::kUsage,
         "a detector for images of {} x {} pixels, which do not divide into patches of {} x {}; "
         "use "
         "multiples of {}",
         options.rows, options.cols, side, side, side);
  }
  return {options.rows / side, options.cols / side};
}

// Throws Error(kUsage) for options that cannot be built.
void check_detector_backbone(const DetectorBackboneOptions& options) {
  if (is_swin(options)) return;
  if (is_decomposed(options) && has_one_stage(options)) {
    fail(ExitCode::kUsage,
         "a detector of kind \"{}\" with bias tables per block, which only conv_vit has; use "
         "shared "
         "tables",
         options.kind);
  }
  const int64_t depth = options.encoder.depths.back();
  const std::vector<int64_t>& blocks = options.global_blocks;
  const bool there = std::ranges::is_sorted(blocks) &&
                     std::ranges::adjacent_find(blocks) == blocks.end() &&
                     (blocks.empty() || (blocks.front() >= 0 && blocks.back() < depth));
  if (!there) {
    fail(ExitCode::kUsage,
         "detector.global_blocks = [{}], which attend over the whole image: expected block indices "
         "from 0 to {}, ascending, each once",
         fmt::join(blocks, ", "), depth - 1);
  }
  if (has_one_stage(options) && depth % 4 != 0) {
    fail(ExitCode::kUsage,
         "a detector on a ViT of {} blocks, which takes a map after each quarter of them; take a "
         "multiple of 4",
         depth);
  }
}

encoder::Windowed windowed_of(const DetectorBackboneOptions& options) {
  encoder::Windowed windowed{
      .grid = grid_of(options),
      .window = options.window,
      .global_blocks = options.global_blocks,
      .decomposed = is_decomposed(options),
  };
  if (windowed.decomposed) {
    windowed.conv_norm_epsilon = nn::kNormEpsilon;
  } else {
    windowed.products = nn::Init::kTruncatedNormal02;
    windowed.convolutions = nn::Init::kLecunNormal;
  }
  return windowed;
}

// Adds "pos_embed" with its initial values; a Swin has none.
encoder::Embeddings positions_of(const nn::Scope& scope, const DetectorBackboneOptions& options) {
  const masks::Grid grid = grid_of(options), pretrained{kPretrained, kPretrained};
  const int64_t dim = options.encoder.dims.back();
  encoder::Embeddings embeddings;
  embeddings.grid = grid;
  if (is_swin(options)) {
    embeddings.attends_to_padding = true;
    return embeddings;
  }
  embeddings.windowed = windowed_of(options);
  at::Tensor table;
  if (has_one_stage(options)) {
    // MIMDet encodes rows in the first half of the channels, in which MAE encodes columns.
    const std::vector<at::Tensor> halves =
        nn::sincos_positions(grid.rows, grid.cols, dim).chunk(2, 2);
    table = at::cat({halves[1], halves[0]}, 2);
  } else {
    table = nn::sincos_positions(kPretrained, kPretrained, dim);
    if (is_decomposed(options)) {
      embeddings.grid = pretrained;
    } else {
      table = nn::resize_positions(table, kPretrained, kPretrained, grid.rows, grid.cols);
    }
  }
  const bool trained = has_one_stage(options) || is_decomposed(options);
  embeddings.positions_1TC = scope.add_table("pos_embed", table, trained);
  return embeddings;
}

// For a ViT: the last block of each quarter.
std::vector<int64_t> tapped_blocks(const DetectorBackboneOptions& options) {
  if (!has_one_stage(options)) return {};
  const int64_t quarter = options.encoder.depths[0] / 4;
  return {quarter - 1, 2 * quarter - 1, 3 * quarter - 1, 4 * quarter - 1};
}

// 2 x 2 max pooling, [B, H, W, C] -> [B, H / 2, W / 2, C].
at::Tensor pooled(const at::Tensor& map_BHWC) {
  return at::max_pool2d(map_BHWC.permute({0, 3, 1, 2}), {2, 2}, {2, 2})
      .permute({0, 2, 3, 1})
      .contiguous();
}

}  // namespace

const char* backbone_place(BackboneForm form) {
  return form == BackboneForm::kDecomposed ? "net" : "bottom_up";
}

DetectorBackbone::DetectorBackbone(const nn::Scope& scope, const DetectorBackboneOptions& options)
    : options_(options), geometry_{options.encoder.strides}, grid_(grid_of(options)) {
  check_detector_backbone(options);
  plan(1);  // throws if windows do not divide the grid
  const encoder::Embeddings embeddings = positions_of(scope, options);
  encoder_ = encoder::make_encoder(options.kind, scope, options.encoder, options.channels,
                                   embeddings, {.stages = true});
  if (!is_swin(options)) return;
  for (size_t stage = 0; stage < options.encoder.dims.size(); ++stage) {
    norms_.emplace_back(scope / ("norm" + std::to_string(stage)), options.encoder.dims[stage],
                        kSwinMapEpsilon);
  }
}

std::vector<int64_t> DetectorBackbone::map_channels() const {
  std::vector<int64_t> channels = options_.encoder.dims;
  if (is_decomposed(options_)) return {channels.back()};
  channels.resize(4, channels.back());
  return channels;
}

std::vector<int64_t> DetectorBackbone::map_strides() const {
  const int64_t side = geometry_.patch_side();
  if (is_decomposed(options_)) return {side};
  if (has_one_stage(options_)) return std::vector<int64_t>(4, side);
  std::vector<int64_t> strides;
  for (const int64_t stride : geometry_.strides) {
    strides.push_back((strides.empty() ? 1 : strides.back()) * stride);
  }
  while (strides.size() < 4) strides.push_back(2 * strides.back());
  return strides;
}

masks::ViewPlan DetectorBackbone::plan(int64_t batch) const {
  return is_swin(options_) || is_decomposed(options_)
             ? masks::full_plan(batch, grid_)
             : masks::plan_of_windows(batch, grid_, options_.window);
}

nn::DropPath DetectorBackbone::draw(uint64_t seed, uint64_t epoch,
                                    std::span<const int64_t> sample_ids, at::Device device) const {
  const std::vector<int64_t>& depths = options_.encoder.depths;
  const int64_t blocks = std::reduce(depths.begin(), depths.end());
  std::vector<int64_t> parts(static_cast<size_t>(blocks), 1);
  if (!is_swin(options_) && !is_decomposed(options_)) {
    const int64_t windows = grid_.patches() / (options_.window * options_.window);
    std::fill(parts.end() - depths.back(), parts.end(), windows);
    for (const int64_t block : options_.global_blocks) {
      parts[static_cast<size_t>(blocks - depths.back() + block)] = 1;
    }
  }
  return nn::draw_drop_path(nn::drop_path_rates(options_.drop_path, blocks), seed, epoch,
                            sample_ids, device, parts);
}

std::vector<at::Tensor> DetectorBackbone::maps_of_stages(const encoder::Features& seen,
                                                         const masks::ViewPlan& plan) const {
  const bool raster = plan.sizes.size() == 1;  // masks::full_plan
  std::vector<at::Tensor> maps;
  for (size_t stage = is_decomposed(options_) ? seen.stages_BKPC.size() - 1 : 0;
       stage < seen.stages_BKPC.size(); ++stage) {
    at::Tensor x_BLPC = seen.stages_BKPC[stage];
    if (!norms_.empty()) x_BLPC = norms_[stage](x_BLPC);
    if (!raster) x_BLPC = encoder::in_raster_order(x_BLPC, plan);
    maps.push_back(
        encoder::map_of_stage(x_BLPC, plan.grid, geometry_, static_cast<int64_t>(stage)));
  }
  if (maps.size() == 3) maps.push_back(pooled(maps.back()));
  return maps;
}

std::vector<at::Tensor> DetectorBackbone::operator()(const at::Tensor& pixels_BLPD,
                                                     const masks::ViewPlan& plan,
                                                     at::ScalarType compute,
                                                     const nn::DropPath& drop_path,
                                                     const nn::Observer& observer) const {
  require(plan.grid.rows == grid_.rows && plan.grid.cols == grid_.cols,
          "DetectorBackbone: got a plan of {} x {} patches, expected {} x {}", plan.grid.rows,
          plan.grid.cols, grid_.rows, grid_.cols);
  Taps taps(options_.kind, options_.encoder, tapped_blocks(options_), observer);
  const nn::Observer watch = [&taps](const std::string& name, const at::Tensor& value) {
    taps(name, value);
  };
  const encoder::Features seen = (*encoder_)(pixels_BLPD.to(compute), plan, watch, drop_path);
  if (!has_one_stage(options_)) return maps_of_stages(seen, plan);
  std::vector<at::Tensor> maps;
  // The output of a windowed block is one sequence per window, of a global block one per image.
  for (const at::Tensor& tokens : taps.results()) {
    const at::Tensor x_BLC = tokens.reshape({plan.batch(), plan.patches(), -1});
    maps.push_back(encoder::in_raster_order(x_BLC, plan).unflatten(1, {grid_.rows, grid_.cols}));
  }
  return maps;
}

nn::LayerOf DetectorBackbone::layer_of() const {
  return [of_encoder = encoder::layer_of(options_.kind, options_.encoder),
          decomposed = is_decomposed(options_)](std::string_view name) {
    nn::Layer layer = of_encoder(name);
    if (decomposed && name == "pos_embed") layer.index = layer.last;
    // A norm's module has a name whose last part begins with "norm": "blocks3.0.norm1",
    // "patch_embed1.norm".
    const std::string_view module = name.substr(0, name.rfind('.'));
    const std::string_view leaf = module.substr(module.rfind('.') + 1);
    layer.exempt =
        leaf.starts_with("norm") || name == "pos_embed" || name.ends_with(kRelativeTable);
    return layer;
  };
}

nn::Cost cost(const DetectorBackboneOptions& options) {
  const encoder::EncoderOptions& sizes = options.encoder;
  masks::ViewPlan plan;
  plan.grid = grid_of(options);
  plan.sizes = {plan.grid.patches()};
  plan.kept = 1;
  // Counts a Swin as a whole; otherwise all but the transformer, whose blocks attend over different
  // numbers of tokens.
  encoder::EncoderOptions before = sizes;
  if (!is_swin(options)) before.depths.back() = 0;
  nn::Cost sum =
      encoder::family(options.kind).cost(before, options.channels, plan, {.stages = true});
  if (is_swin(options)) return sum;
  const int64_t patches = plan.grid.patches(), window = options.window;
  const int64_t in_windows = is_decomposed(options)
                                 ? (plan.grid.rows + window - 1) / window *
                                       ((plan.grid.cols + window - 1) / window) * window * window
                                 : patches;
  const auto global = std::ssize(options.global_blocks);
  sum += nn::blocks_cost(global, patches, patches, sizes.dims.back(), sizes.mlp_ratios.back());
  // Attention in padded windows counts the padding too.
  sum +=
      nn::blocks_cost(sizes.depths.back() - global, patches, window * window * in_windows / patches,
                      sizes.dims.back(), sizes.mlp_ratios.back());
  return sum;
}

}  // namespace fcm::models
