#include "fcm/encoder/conv_vit.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <array>

#include "fcm/encoder/block_inputs.h"

namespace fcm::encoder {
namespace {

// Initialisation of the weights for which the upstream programs differ.
struct Inits {
  nn::Init convolutions, embed3, embed4;
};

Inits inits_of(const Embeddings& embeddings) {
  if (const auto& windowed = embeddings.windowed) {
    return {windowed->convolutions, windowed->convolutions, windowed->products};
  }
  if (embeddings.relative_blocks) {
    return {nn::Init::kFanIn, nn::Init::kFanIn, nn::Init::kNormal02};
  }
  return {nn::Init::kFanIn, nn::Init::kXavierUniform, nn::Init::kXavierUniform};
}

std::vector<ConvBlock> conv_blocks(const nn::Scope& scope, const EncoderOptions& options,
                                   const Embeddings& embeddings, size_t stage) {
  const double epsilon =
      embeddings.windowed ? embeddings.windowed->conv_norm_epsilon : kConvNormEpsilon;
  std::vector<ConvBlock> blocks;
  for (int64_t i = 0; i < options.depths[stage]; ++i) {
    blocks.emplace_back(scope / i, options.dims[stage], options.mlp_ratios[stage], epsilon,
                        inits_of(embeddings).convolutions);
  }
  return blocks;
}

// Projects all cells of a patch to one vector, as a convolution whose kernel covers the patch.
std::optional<nn::Linear> fuse(const nn::Scope& scope, const EncoderOptions& options, size_t stage,
                               const ops::Cells& cells, const Outputs& outputs) {
  if (!outputs.fuse) return std::nullopt;
  return nn::Linear::convolution(scope, options.dims[stage], options.dims[2], cells.side,
                                 cells.raster);
}

}  // namespace

// Members are declared in upstream's parameter order.
ConvVit::ConvVit(const nn::Scope& scope, const EncoderOptions& options, int64_t channels,
                 Embeddings embeddings, const Outputs& outputs)
    : geometry_{options.strides},
      outputs_(outputs),
      embeddings_(std::move(embeddings)),
      embed1_(scope / "patch_embed1", channels, options.dims[0], options.strides[0],
              inits_of(embeddings_).convolutions),
      embed2_(scope / "patch_embed2", options.dims[0], options.dims[1], options.strides[1],
              inits_of(embeddings_).convolutions),
      embed3_(scope / "patch_embed3", options.dims[1], options.dims[2], options.strides[2],
              inits_of(embeddings_).embed3),
      embed4_(scope / "patch_embed4", options.dims[2], options.dims[2],
              inits_of(embeddings_).embed4),
      fuse1_(fuse(scope / "stage1_output_decode", options, 0, geometry_.cells(0), outputs)),
      fuse2_(fuse(scope / "stage2_output_decode", options, 1, geometry_.cells(1), outputs)),
      blocks1_(conv_blocks(scope / "blocks1", options, embeddings_, 0)),
      blocks2_(conv_blocks(scope / "blocks2", options, embeddings_, 1)),
      map_blocks3_(map_blocks(scope,
                              {"blocks3", options.depths[2], options.dims[2], options.heads.last(),
                               options.mlp_ratios[2], options.norm_epsilon},
                              embeddings_)),
      blocks3_(scope, "blocks3", map_blocks3_ ? 0 : options.depths[2], options.dims[2],
               options.heads.last(), options.mlp_ratios[2], options.norm_epsilon) {
  if (outputs.norm) norm_.emplace(scope / "norm", options.dims[2], options.norm_epsilon);
}

Features ConvVit::operator()(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan,
                             const nn::Observer& observer, const nn::DropPath& drop_path) const {
  const int64_t batch = plan.batch();
  const int64_t kept = plan.kept_slots();
  at::Tensor x;
  std::vector<at::Tensor> fused;  // [B, K, C3] each
  Features features;
  const auto end_stage = [&](const std::optional<nn::Linear>& layer, const char* name) {
    if (outputs_.stages) features.stages_BKPC.push_back(x);
    if (!layer) return;
    fused.push_back((*layer)(x.reshape({batch, kept, -1})));
    nn::observe(observer, name, fused.back());
  };

  x = embed1_(pixels_BLPD.narrow(1, 0, kept));  // [B, K, P1, C1]
  nn::observe(observer, "patch_embed1", x);
  x = convolve(0, x, plan, observer, drop_path);
  end_stage(fuse1_, "stage1_output_decode");

  x = embed2_(x.reshape({batch, kept, geometry_.cells(1).count(), -1}));  // [B, K, P2, C2]
  nn::observe(observer, "patch_embed2", x);
  x = convolve(1, x, plan, observer, drop_path);
  end_stage(fuse2_, "stage2_output_decode");

  x = embed3_(x.reshape({batch, kept, -1}));  // [B, K, C3]
  nn::observe(observer, "patch_embed3", x);
  x = embed4_(x);  // [B, K, C3]
  nn::observe(observer, "patch_embed4", x);
  const at::Tensor order_BK = plan.order_BL.narrow(1, 0, kept);
  const at::Tensor positions_LC = positions(embeddings_, plan.grid)[0].to(x.scalar_type());
  x = x + positions_LC.index_select(0, order_BK.reshape({-1})).view_as(x);
  features.tokens_BKC = transform(x, plan, observer, drop_path, features);
  if (outputs_.stages) features.stages_BKPC.push_back(features.tokens_BKC.unsqueeze(2));
  if (!norm_) return features;
  x = features.tokens_BKC;
  for (const at::Tensor& stage_BKC : fused) x = x + stage_BKC;
  features.latent_BKC = (*norm_)(x);
  nn::observe(observer, "norm", features.latent_BKC);
  return features;
}

at::Tensor ConvVit::convolve(int64_t stage, at::Tensor x_BKPC, const masks::ViewPlan& plan,
                             const nn::Observer& observer, const nn::DropPath& drop_path) const {
  const std::vector<ConvBlock>& blocks = stage == 0 ? blocks1_ : blocks2_;
  const size_t first = stage == 0 ? 0 : blocks1_.size();  // index of the stage's first block
  const at::Tensor neighbours_BK9 =
      plan.neighbours_BL9.narrow(1, 0, plan.kept_slots()).contiguous();
  const ops::Cells cells = geometry_.cells(stage);
  int64_t index = 0;
  for (const ConvBlock& block : blocks) {
    x_BKPC = block(x_BKPC, neighbours_BK9, cells,
                   nn::branch_scales(drop_path, static_cast<int64_t>(first) + index));
    nn::observe(observer, stage == 0 ? "blocks1" : "blocks2", index++, x_BKPC);
  }
  return x_BKPC;
}

at::Tensor ConvVit::transform(const at::Tensor& x_BKC, const masks::ViewPlan& plan,
                              const nn::Observer& observer, const nn::DropPath& drop_path,
                              Features& features) const {
  const auto first = static_cast<int64_t>(blocks1_.size() + blocks2_.size());
  if (map_blocks3_) return (*map_blocks3_)(x_BKC, plan, observer, drop_path, first);
  const int64_t batch = x_BKC.size(0), channels = x_BKC.size(2);
  std::vector<at::Tensor> results;
  for (const masks::ViewRun& run : plan.kept_runs()) {
    const int64_t slots = run.views * run.size;
    const at::Tensor x_NTC =
        x_BKC.narrow(1, run.first_slot, slots).reshape({batch * run.views, run.size, channels});
    const at::Tensor result_NTC =
        keeps_block_inputs(outputs_, plan)
            ? run_keeping_inputs(blocks3_, x_NTC, observer, drop_path, first, features)
            : blocks3_(x_NTC, observer, drop_path, first);
    results.push_back(result_NTC.reshape({batch, slots, channels}));
  }
  return results.size() == 1 ? results[0] : at::cat(results, 1);  // [B, K, C3]
}

namespace {

// Sources. base: upstream; small: moreh-dev/FastConvMAE; large: the released v2 weights;
// large_paper: DMJD; huge: a third party's implementation after the paper (unverified).
std::vector<EncoderOptions> named_sizes() {
  return {{"small", {4, 2, 2}, {128, 256, 384}, {2, 2, 11}, 6, {4, 4, 4}},
          {"base", {4, 2, 2}, {256, 384, 768}, {2, 2, 11}, 12, {4, 4, 4}},
          {"large", {4, 2, 2}, {384, 768, 1024}, {2, 2, 20}, 16, {4, 4, 4}},
          {"large_paper", {4, 2, 2}, {384, 768, 1024}, {2, 2, 23}, 16, {8, 8, 4}},
          {"huge", {4, 2, 2}, {768, 1024, 1280}, {2, 2, 31}, 16, {8, 8, 4}}};
}

std::unique_ptr<Encoder> make(const nn::Scope& scope, const EncoderOptions& options,
                              int64_t channels, const Embeddings& embeddings,
                              const Outputs& outputs) {
  return std::make_unique<ConvVit>(scope, options, channels, embeddings, outputs);
}

nn::Cost cost(const EncoderOptions& options, int64_t channels, const masks::ViewPlan& plan,
              const Outputs& outputs) {
  const ops::PatchGeometry geometry{options.strides};
  const auto product = [](int64_t rows, int64_t in, int64_t out) {
    return static_cast<double>(rows) * static_cast<double>(in) * static_cast<double>(out);
  };
  const int64_t last_dim = options.dims.back();
  int64_t in = channels;
  nn::Cost sum;
  for (size_t stage = 0; stage < 3; ++stage) {
    const int64_t stride = options.strides[stage], dim = options.dims[stage];
    const int64_t cells = plan.kept_slots() * geometry.cells(static_cast<int64_t>(stage)).count();
    sum.multiply_adds += product(cells, stride * stride * in, dim);  // patch embedding
    in = dim;
    if (stage == 2) break;
    sum += conv_blocks_cost(options.depths[stage], cells, dim, options.mlp_ratios[stage]);
    if (outputs.fuse) sum.multiply_adds += product(cells, dim, last_dim);
  }
  sum.multiply_adds += product(plan.kept_slots(), last_dim, last_dim);  // patch_embed4
  for (const masks::ViewRun& run : plan.kept_runs()) {
    sum += nn::blocks_cost(options.depths[2], run.views * run.size, run.size, last_dim,
                           options.mlp_ratios[2]);
  }
  return sum;
}

nn::Layer layer_of(const EncoderOptions& options, std::string_view name) {
  constexpr std::array<std::string_view, 3> kFirst{"patch_embed", "blocks1.", "blocks2."};
  return layer_by_blocks(name, kFirst, "blocks3", options.depths[2]);
}

std::optional<Recognised> recognise(const Shapes& shapes) {
  Recognised found;
  for (const char* stage : {"1", "2", "3"}) {
    const std::string number = stage;
    if (!add_stage(shapes, "patch_embed" + number + ".proj.weight", "blocks" + number, found)) {
      return std::nullopt;
    }
  }
  found.fuse =
      shapes.has("stage1_output_decode.weight", 4) && shapes.has("stage2_output_decode.weight", 4);
  return found;
}

// The depthwise 5 x 5 kernel must not reach beyond the neighbouring patch.
std::vector<std::string> option_errors(const EncoderOptions& options) {
  std::vector<std::string> found;
  int64_t side = 1;  // cells per row of a patch: the product of the later strides
  for (size_t stage = 2; stage-- > 0;) {
    side *= options.strides[stage + 1];
    if (options.depths[stage] == 0 || side >= 2) continue;
    found.push_back(fmt::format(
        "encoder.strides = [{}] gives stage {} one cell per patch, but its 5x5 "
        "convolutions need at least 2x2; use a later stride of 2 or more, or 0 for that "
        "stage in encoder.depths",
        fmt::join(options.strides, ", "), stage + 1));
  }
  return found;
}

}  // namespace

Family conv_vit_family() {
  return {.kind = "conv_vit",
          .stages = 3,
          .class_tokens = 0,
          .last_blocks = [](const EncoderOptions&) -> std::string { return "blocks3"; },
          .sizes = named_sizes(),
          .make = make,
          .cost = cost,
          .layer_of = layer_of,
          .recognise = recognise,
          .option_errors = option_errors};
}

}  // namespace fcm::encoder
