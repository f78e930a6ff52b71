#include "fcm/encoder/vit.h"

#include <ATen/ATen.h>

#include <array>

#include "fcm/base/error.h"
#include "fcm/encoder/block_inputs.h"

namespace fcm::encoder {
namespace {

// Collects the patches and class tokens of several runs.
struct Parts {
  bool has_class_token;
  std::vector<at::Tensor> patches = {}, classes = {};

  // x [B * views, T, C], row = image * views + view; the last k = run.size tokens are the patches.
  void add(const at::Tensor& x_NTC, int64_t batch, const masks::ViewRun& run) {
    const at::Tensor x_BGTC = x_NTC.unflatten(0, {batch, run.views});
    if (has_class_token) classes.push_back(x_BGTC.select(2, 0));  // [B, views, C]
    patches.push_back(                                            // [B, views * k, C]
        x_BGTC.narrow(2, x_BGTC.size(2) - run.size, run.size).flatten(1, 2));
  }
  static at::Tensor joined(const std::vector<at::Tensor>& parts) {
    if (parts.empty()) return {};
    return parts.size() == 1 ? parts[0] : at::cat(parts, 1);
  }
};

std::optional<nn::LayerNorm> norm_before(const nn::Scope& scope, const Embeddings& embeddings,
                                         const EncoderOptions& options) {
  if (!embeddings.tower || !embeddings.tower->norm_before) return std::nullopt;
  return nn::LayerNorm(scope / "norm_pre", options.dims[0], options.norm_epsilon);
}

}  // namespace

// Members are declared in upstream's parameter order.
Vit::Vit(const nn::Scope& scope, const EncoderOptions& options, int64_t channels,
         Embeddings embeddings, const Outputs& outputs)
    : embeddings_(std::move(embeddings)),
      embed_(nn::Linear::convolution(
          scope / "patch_embed" / "proj", channels, options.dims[0], options.strides[0],
          nn::row_by_row(options.strides[0]),
          embeddings_.windowed ? embeddings_.windowed->convolutions : nn::Init::kXavierUniform)),
      norm_before_(norm_before(scope, embeddings_, options)),
      map_blocks_(map_blocks(scope,
                             {"blocks", options.depths[0], options.dims[0], options.heads.last(),
                              options.mlp_ratios[0], options.norm_epsilon},
                             embeddings_)),
      blocks_(scope, "blocks", map_blocks_ ? 0 : options.depths[0], options.dims[0],
              options.heads.last(), options.mlp_ratios[0], options.norm_epsilon),
      outputs_(outputs) {
  if (outputs.norm) norm_.emplace(scope / "norm", options.dims[0], options.norm_epsilon);
}

Features Vit::operator()(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan,
                         const nn::Observer& observer, const nn::DropPath& drop_path) const {
  const int64_t batch = plan.batch(), kept = plan.kept_slots();
  at::Tensor x_BKC = embed_(pixels_BLPD.narrow(1, 0, kept)).squeeze(2);  // [B, K, C]
  nn::observe(observer, "patch_embed", x_BKC);
  const int64_t class_tokens = embeddings_.class_token_11C.defined() ? 1 : 0;
  at::Tensor table_TC;
  if (embeddings_.positions_1TC.defined()) {
    table_TC = positions(embeddings_, plan.grid)[0].to(x_BKC.scalar_type());
    const at::Tensor row_of_slot = plan.order_BL.narrow(1, 0, kept).reshape({-1}) + class_tokens;
    x_BKC = x_BKC + table_TC.index_select(0, row_of_slot).view_as(x_BKC);  // [B, K, C]
  }
  if (embeddings_.windowed && class_tokens == 0) {
    return without_class_token(x_BKC, plan, observer, drop_path);
  }
  const at::Tensor front_1FC = front_tokens(table_TC, x_BKC.scalar_type());

  Features features;
  Parts tokens{class_tokens > 0}, latents{class_tokens > 0};
  for (const masks::ViewRun& run : plan.kept_runs()) {
    const int64_t slots = run.views * run.size, sequences = batch * run.views;
    at::Tensor x_NTC = x_BKC.narrow(1, run.first_slot, slots).reshape({sequences, run.size, -1});
    if (front_1FC.defined()) {
      x_NTC = at::cat({front_1FC.expand({sequences, -1, -1}), x_NTC}, 1);  // [B * views, F + k, C]
    }
    if (norm_before_) x_NTC = (*norm_before_)(x_NTC);
    if (map_blocks_) {
      x_NTC = (*map_blocks_)(x_NTC, plan, observer, drop_path);
    } else if (keeps_block_inputs(outputs_, plan)) {
      x_NTC = run_keeping_inputs(blocks_, x_NTC, observer, drop_path, 0, features);
    } else {
      x_NTC = blocks_(x_NTC, observer, drop_path);
    }
    tokens.add(x_NTC, batch, run);
    if (!norm_) continue;
    x_NTC = (*norm_)(x_NTC);  // [B * views, F + k, C]
    nn::observe(observer, "norm", x_NTC);
    latents.add(x_NTC, batch, run);
  }
  features.tokens_BKC = Parts::joined(tokens.patches);        // [B, K, C]
  features.class_tokens_BGC = Parts::joined(tokens.classes);  // [B, G, C]
  if (outputs_.stages) features.stages_BKPC.push_back(features.tokens_BKC.unsqueeze(2));
  if (norm_) {
    features.latent_BKC = Parts::joined(latents.patches);
    features.class_latents_BGC = Parts::joined(latents.classes);
  }
  return features;
}

at::Tensor Vit::front_tokens(const at::Tensor& table_TC, at::ScalarType compute) const {
  std::vector<at::Tensor> tokens;
  if (embeddings_.class_token_11C.defined()) {
    tokens.push_back(embeddings_.class_token_11C.to(compute));
    if (table_TC.defined()) tokens.back() = tokens.back() + table_TC[0];
  }
  if (embeddings_.register_tokens_1RC.defined()) {
    tokens.push_back(embeddings_.register_tokens_1RC.to(compute));
  }
  return tokens.size() < 2 ? (tokens.empty() ? at::Tensor() : tokens[0]) : at::cat(tokens, 1);
}

Features Vit::without_class_token(const at::Tensor& x_BLC, const masks::ViewPlan& plan,
                                  const nn::Observer& observer,
                                  const nn::DropPath& drop_path) const {
  require(map_blocks_ && !norm_,
          "a ViT without a class token: expected a detector's, with map blocks and without norm");
  Features features;
  features.tokens_BKC = (*map_blocks_)(x_BLC, plan, observer, drop_path);
  if (outputs_.stages) features.stages_BKPC.push_back(features.tokens_BKC.unsqueeze(2));
  return features;
}

namespace {

// Sources. base, large and huge: models_mae.py; small: DeiT's ViT-S, since MAE has no small size.
std::vector<EncoderOptions> named_sizes() {
  return {{"small", {16}, {384}, {12}, 6, {4}},
          {"base", {16}, {768}, {12}, 12, {4}},
          {"large", {16}, {1024}, {24}, 16, {4}},
          {"huge", {14}, {1280}, {32}, 16, {4}}};
}

std::unique_ptr<Encoder> make(const nn::Scope& scope, const EncoderOptions& options,
                              int64_t channels, const Embeddings& embeddings,
                              const Outputs& outputs) {
  return std::make_unique<Vit>(scope, options, channels, embeddings, outputs);
}

nn::Cost cost(const EncoderOptions& options, int64_t channels, const masks::ViewPlan& plan,
              const Outputs&) {
  const int64_t dim = options.dims[0], pixels = options.strides[0] * options.strides[0];
  nn::Cost sum;
  sum.multiply_adds =
      static_cast<double>(plan.kept_slots()) * static_cast<double>(pixels * channels * dim);
  for (const masks::ViewRun& run : plan.kept_runs()) {
    const int64_t length = 1 + run.size;
    sum +=
        nn::blocks_cost(options.depths[0], run.views * length, length, dim, options.mlp_ratios[0]);
  }
  return sum;
}

nn::Layer layer_of(const EncoderOptions& options, std::string_view name) {
  constexpr std::array<std::string_view, 1> kFirst{"patch_embed"};
  return layer_by_blocks(name, kFirst, "blocks", options.depths[0]);
}

std::optional<Recognised> recognise(const Shapes& shapes) {
  Recognised found;
  if (!add_stage(shapes, "patch_embed.proj.weight", "blocks", found)) return std::nullopt;
  // Other networks have a patch embedding of the same name, so blocks are required too.
  if (found.options.depths.front() == 0) return std::nullopt;
  return found;
}

std::vector<std::string> option_errors(const EncoderOptions&) { return {}; }

}  // namespace

Family vit_family() {
  return {.kind = "vit",
          .stages = 1,
          .class_tokens = 1,
          .last_blocks = [](const EncoderOptions&) -> std::string { return "blocks"; },
          .sizes = named_sizes(),
          .make = make,
          .cost = cost,
          .layer_of = layer_of,
          .recognise = recognise,
          .option_errors = option_errors};
}

}  // namespace fcm::encoder
