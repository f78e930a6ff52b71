#include "fcm/encoder/swin.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

#include "fcm/base/relative_table.h"
#include "fcm/masks/window_plan.h"
#include "fcm/ops/norm_linear/op.h"

namespace fcm::encoder {
namespace {

// Upstream concatenates the four cells of a merge in the order (row, column) (0,0), (1,0), (0,1),
// (1,1). Here they are stored row by row.
const std::vector<int64_t> kChildren{0, 2, 1, 3};

int64_t sum_to(const std::vector<int64_t>& depths, size_t stage) {
  return std::accumulate(depths.begin(), depths.begin() + static_cast<int64_t>(stage), int64_t{0});
}

// The side of a stage's windows in cells, which is no larger than the map's.
int64_t window_of(const EncoderOptions& options, masks::Grid grid, const ops::Cells& cells) {
  return std::min(options.window, std::min(grid.rows, grid.cols) * cells.side);
}

}  // namespace

// Parameters are added in upstream's order.
Swin::Swin(const nn::Scope& scope, const EncoderOptions& options, int64_t channels,
           const Embeddings& embeddings, const Outputs& outputs)
    : mask_token_11C_(embeddings.mask_token_11C),
      embed_(nn::Linear::convolution(scope / "patch_embed" / "proj", channels, options.dims[0],
                                     options.strides[0], nn::row_by_row(options.strides[0]),
                                     embeddings.products == nn::Init::kXavierUniform
                                         ? nn::Init::kXavierUniform
                                         : nn::Init::kFanIn)),
      embed_norm_(scope / "patch_embed" / "norm", options.dims[0], options.norm_epsilon),
      keeps_stages_(outputs.stages),
      attends_to_padding_(embeddings.attends_to_padding) {
  const ops::PatchGeometry geometry{options.strides};
  const nn::Init init = embeddings.products;
  for (size_t s = 0; s < options.dims.size(); ++s) {
    const nn::Scope layer = scope / "layers" / static_cast<int64_t>(s);
    const masks::Grid grid = embeddings.grid;
    const int64_t dim = options.dims[s];
    Stage stage;
    stage.cells = geometry.cells(static_cast<int64_t>(s));
    stage.window = attends_to_padding_ ? options.window : window_of(options, grid, stage.cells);
    stage.shifts =
        attends_to_padding_ || std::min(grid.rows, grid.cols) * stage.cells.side > options.window;
    for (int64_t i = 0; i < options.depths[s]; ++i) {
      stage.blocks.emplace_back(layer / "blocks" / i,
                                WindowBlockOptions{.dim = dim,
                                                   .heads = options.heads.values[s],
                                                   .table_rows = rows_of_table(stage.window),
                                                   .mlp_ratio = options.mlp_ratios[s],
                                                   .norm_epsilon = options.norm_epsilon,
                                                   .products = init});
    }
    if (s + 1 < options.dims.size()) {
      stage.merge =
          nn::Linear::without_bias(layer / "downsample" / "reduction", 4 * dim, options.dims[s + 1],
                                   init, {nn::Layout::Kind::kColumns, kChildren, dim});
      stage.merge_norm.emplace(layer / "downsample" / "norm", 4 * dim, options.norm_epsilon,
                               nn::Layout{nn::Layout::Kind::kRows, kChildren, dim});
    }
    stages_.push_back(std::move(stage));
  }
  if (outputs.norm) norm_.emplace(scope / "norm", options.dims.back(), options.norm_epsilon);
}

at::Tensor Swin::with_mask_tokens(const at::Tensor& x_BKPC, const masks::ViewPlan& plan) const {
  const int64_t hidden = plan.patches() - plan.kept_slots();
  const at::Tensor token_BHPC = mask_token_11C_.to(x_BKPC.scalar_type())
                                    .unsqueeze(0)
                                    .expand({x_BKPC.size(0), hidden, x_BKPC.size(2), -1});
  return at::cat({x_BKPC, token_BHPC}, 1);
}

at::Tensor Swin::merged(const Stage& stage, const at::Tensor& x_BTC) {
  const at::Tensor cells_BTC = x_BTC.reshape({x_BTC.size(0), x_BTC.size(1) / 4, 4 * x_BTC.size(2)});
  return ops::norm_linear(cells_BTC, stage.merge_norm->weights(), stage.merge->weights());
}

Features Swin::operator()(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan,
                          const nn::Observer& observer, const nn::DropPath& drop_path) const {
  const bool sees_all = mask_token_11C_.defined();
  const int64_t batch = plan.batch(), slots = sees_all ? plan.patches() : plan.kept_slots();
  at::Tensor x_BTC = embed_norm_(embed_(pixels_BLPD.narrow(1, 0, plan.kept_slots())));
  nn::observe(observer, "patch_embed", x_BTC.flatten(1, 2));
  if (slots > plan.kept_slots()) x_BTC = with_mask_tokens(x_BTC, plan);
  x_BTC = x_BTC.flatten(1, 2);  // [B, K * P, C]
  if (sees_all) nn::observe(observer, "masked", x_BTC);
  Features features;
  int64_t block_index = 0;  // over all stages
  for (size_t s = 0; s < stages_.size(); ++s) {
    const Stage& stage = stages_[s];
    const std::string name = "layers." + std::to_string(s);
    const auto sets = [&](int64_t shift) {
      return masks::window_sets(plan, slots,
                                {stage.cells, stage.window, shift, attends_to_padding_}, !sees_all);
    };
    const ops::WindowSets unshifted = sets(0);
    const ops::WindowSets shifted =
        stage.shifts && stage.blocks.size() > 1 ? sets(stage.window / 2) : unshifted;
    for (size_t i = 0; i < stage.blocks.size(); ++i, ++block_index) {
      const WindowBlock& block = stage.blocks[i];
      x_BTC = block(x_BTC, i % 2 == 0 ? unshifted : shifted, block.upstream_table(),
                    nn::branch_scales(drop_path, block_index));  // [B, K * P, C]
      nn::observe(observer, name + ".blocks", static_cast<int64_t>(i), x_BTC);
    }
    if (keeps_stages_) features.stages_BKPC.push_back(x_BTC.unflatten(1, {slots, -1}));
    if (!stage.merge) break;
    x_BTC = merged(stage, x_BTC);  // [B, K * P', C']
    nn::observe(observer, name + ".downsample", x_BTC);
  }
  features.tokens_BKC = x_BTC.view({batch, slots, -1});
  if (keeps_stages_) features.stages_BKPC.back() = features.tokens_BKC.unsqueeze(2);
  if (!norm_) return features;
  features.latent_BKC = (*norm_)(features.tokens_BKC);  // [B, K, C]
  nn::observe(observer, "norm", features.latent_BKC);
  return features;
}

namespace {

// Source: Liu et al., Swin Transformer, section 3.3; window 7 as in its classifiers for 224 pixels.
std::vector<EncoderOptions> named_sizes() {
  const std::vector<int64_t> strides{4, 2, 2, 2}, shallow{2, 2, 6, 2}, deep{2, 2, 18, 2};
  const std::vector<double> ratios{4, 4, 4, 4};
  return {{"tiny", strides, {96, 192, 384, 768}, shallow, {3, 6, 12, 24}, ratios, 1e-5, 7},
          {"small", strides, {96, 192, 384, 768}, deep, {3, 6, 12, 24}, ratios, 1e-5, 7},
          {"base", strides, {128, 256, 512, 1024}, deep, {4, 8, 16, 32}, ratios, 1e-5, 7},
          {"large", strides, {192, 384, 768, 1536}, deep, {6, 12, 24, 48}, ratios, 1e-5, 7}};
}

std::unique_ptr<Encoder> make(const nn::Scope& scope, const EncoderOptions& options,
                              int64_t channels, const Embeddings& embeddings,
                              const Outputs& outputs) {
  return std::make_unique<Swin>(scope, options, channels, embeddings, outputs);
}

// Estimates the average case: a view with a share s of the image's patches has a share s of each
// window.
nn::Cost cost(const EncoderOptions& options, int64_t channels, const masks::ViewPlan& plan,
              const Outputs&) {
  const ops::PatchGeometry geometry{options.strides};
  nn::Cost sum;
  int64_t in = channels;
  for (size_t s = 0; s < options.dims.size(); ++s) {
    const ops::Cells cells = geometry.cells(static_cast<int64_t>(s));
    const int64_t stride = options.strides[s], dim = options.dims[s];
    sum.multiply_adds += static_cast<double>(plan.kept_slots() * cells.count()) *
                         static_cast<double>(stride * stride * in * dim);
    in = dim;
    const int64_t window = window_of(options, plan.grid, cells);
    for (const masks::ViewRun& run : plan.kept_runs()) {
      const int64_t seen = std::max<int64_t>(1, window * window * run.size / plan.patches());
      sum += nn::blocks_cost(options.depths[s], run.views * run.size * cells.count(), seen, dim,
                             options.mlp_ratios[s]);
    }
  }
  return sum;
}

// Upstream's layer rule (optimizer.py get_swin_layer): block i over all stages is layer i + 1, and
// a merge belongs to the layer of the last block of its stage. Mask token and patch embedding are
// layer 0, everything else is the last layer. Bias tables and mask token have no weight decay.
nn::Layer layer_of(const EncoderOptions& options, std::string_view name) {
  nn::Layer layer;
  layer.last = static_cast<int>(sum_to(options.depths, options.depths.size())) + 1;
  layer.index = layer.last;
  layer.exempt = name == "mask_token" || name.ends_with(kRelativeTable);
  if (name == "mask_token" || name.starts_with("patch_embed.")) layer.index = 0;
  for (size_t s = 0; s < options.depths.size(); ++s) {
    const std::string stem = "layers." + std::to_string(s) + ".";
    if (!name.starts_with(stem)) continue;
    const int64_t before = sum_to(options.depths, s);
    const std::optional<int64_t> block = block_number(name, stem + "blocks");
    layer.index = static_cast<int>(block ? before + *block + 1 : before + options.depths[s]);
  }
  return layer;
}

std::optional<Recognised> recognise(const Shapes& shapes) {
  const std::string table = ".blocks.0.attn." + std::string(kRelativeTable);
  if (!shapes.has("patch_embed.proj.weight", 4) || !shapes.has("layers.0" + table, 2)) {
    return std::nullopt;
  }
  Recognised found;
  found.channels = shapes.at("patch_embed.proj.weight", 1);
  EncoderOptions& options = found.options;
  options.heads.values.clear();
  options.norm_epsilon = 1e-5;
  for (int64_t s = 0;; ++s) {
    const std::string stem = "layers." + std::to_string(s);
    if (!shapes.has(stem + table, 2)) break;
    const int64_t dim = shapes.has(stem + ".blocks.0.norm1.weight", 1)
                            ? shapes.at(stem + ".blocks.0.norm1.weight", 0)
                            : 0;
    options.strides.push_back(s == 0 ? shapes.at("patch_embed.proj.weight", 2) : 2);
    options.dims.push_back(dim);
    options.depths.push_back(shapes.blocks(stem + ".blocks"));
    options.mlp_ratios.push_back(shapes.mlp_ratio(stem + ".blocks", dim));
    options.heads.values.push_back(shapes.at(stem + table, 1));
    options.window = std::max(options.window, window_of_table(shapes.at(stem + table, 0)));
  }
  return found;
}

std::vector<std::string> option_errors(const EncoderOptions& options) {
  std::vector<std::string> found;
  if (options.window < 1) {
    found.push_back(
        "encoder.window = 0, but model.kind = \"swin\" needs a window: use 7, or 6 for "
        "192 pixels");
  }
  if (options.heads.values.size() != options.dims.size()) {
    found.push_back(
        fmt::format("encoder.heads has {} elements, encoder.dims has {}: swin needs one value for "
                    "each stage",
                    options.heads.values.size(), options.dims.size()));
    return found;
  }
  for (size_t s = 0; s < options.dims.size(); ++s) {
    if (options.dims[s] % options.heads.values[s] != 0) {
      found.push_back(fmt::format("encoder.dims = [{}] is not divisible by encoder.heads = [{}]",
                                  fmt::join(options.dims, ", "),
                                  fmt::join(options.heads.values, ", ")));
      break;
    }
  }
  const bool merges = std::all_of(options.strides.begin() + 1, options.strides.end(),
                                  [](int64_t stride) { return stride == 2; });
  if (!merges) {
    found.push_back(
        fmt::format("encoder.strides = [{}], but a Swin merges 2 x 2 cells "
                    "between stages: use 2 from the second on",
                    fmt::join(options.strides, ", ")));
  }
  return found;
}

}  // namespace

Family swin_family() {
  return {.kind = "swin",
          .stages = 0,
          .class_tokens = 0,
          .positions = false,
          .mask_tokens = true,
          .pools_latents = true,
          .last_blocks =
              [](const EncoderOptions& options) {
                return fmt::format("layers.{}.blocks", options.dims.size() - 1);
              },
          .sizes = named_sizes(),
          .make = make,
          .cost = cost,
          .layer_of = layer_of,
          .recognise = recognise,
          .option_errors = option_errors};
}

}  // namespace fcm::encoder
