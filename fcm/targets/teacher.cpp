#include "fcm/targets/teacher.h"

#include <ATen/ATen.h>

#include <optional>

#include "fcm/base/error.h"
#include "fcm/encoder/registry.h"
#include "fcm/nn/cost.h"

namespace fcm::targets {
namespace {

masks::Grid grid_of(const TeacherOptions& options) {
  if (options.rows % options.stride != 0 || options.cols % options.stride != 0) {
    fail(ExitCode::kUsage,
         "images of {} x {} pixels do not divide into the teacher's patches of {} x {}; choose "
         "multiples of {}",
         options.rows, options.cols, options.stride, options.stride, options.stride);
  }
  return {options.rows / options.stride, options.cols / options.stride};
}

constexpr const char* kVit = "vit";  // the encoder kind of all towers

constexpr double kRotaryBase = 100;  // DINOv3's rope_theta

// The tower's options; nullopt for MAE's ViT, which needs none.
std::optional<encoder::Tower> tower_of(const TeacherOptions& options) {
  encoder::Tower tower;
  tower.registers = options.registers;
  tower.gelu = options.gelu;
  switch (options.kind) {
    case TeacherKind::kDino:
      if (options.gelu == encoder::Gelu::kExact) return std::nullopt;
      break;
    case TeacherKind::kDinoV2:
      tower.layer_scale = true;
      break;
    case TeacherKind::kDinoV3:
      tower.layer_scale = true;
      tower.positions = false;
      tower.rotary_base = kRotaryBase;
      break;
    case TeacherKind::kClip:
      tower.norm_before = true;
      break;
    case TeacherKind::kSiglip:
      tower.class_token = false;
      break;
  }
  return tower;
}

std::unique_ptr<encoder::Encoder> make_encoder(const nn::Scope& scope,
                                               const TeacherOptions& options, masks::Grid grid) {
  encoder::EncoderOptions vit;
  vit.strides = {options.stride};
  vit.dims = {options.dim};
  vit.depths = {options.depth};
  vit.heads = options.heads;
  vit.mlp_ratios = {options.mlp_ratio};
  vit.norm_epsilon = options.norm_epsilon;
  const std::optional<encoder::Tower> tower = tower_of(options);
  const encoder::Embeddings embeddings =
      tower ? encoder::add_tower_embeddings(scope, *tower, options.dim, grid)
            : encoder::add_embeddings(scope, kVit, options.dim, grid,
                                      /*trainable_positions=*/false);
  return encoder::make_encoder(kVit, scope, vit, options.channels, embeddings,
                               encoder::Outputs{.norm = true});
}

}  // namespace

Teacher::Teacher(const TeacherOptions& options, const at::TensorOptions& held)
    : options_(options),
      geometry_{{options.stride}},
      grid_(grid_of(options)),
      parameters_(std::make_unique<nn::Parameters>(/*seed=*/0, held)) {
  const nn::Scope scope(*parameters_);
  encoder_ = make_encoder(scope, options, grid_);
  if (options.projected_dim > 0) {
    projection_DP_ = scope.add("proj", {options.dim, options.projected_dim}, nn::Init::kZeros);
  }
}

at::Tensor Teacher::features(const at::Tensor& pixels_BLPD, const at::Tensor& order_BL,
                             Feature feature, at::ScalarType compute,
                             const nn::Observer& observer) const {
  require(order_BL.size(1) == grid_.patches(),
          "Teacher: got an order of {} patches, expected all {} of its images", order_BL.size(1),
          grid_.patches());
  const at::NoGradGuard no_gradient;
  const at::Tensor pixels = pixels_BLPD.to(compute);
  if (feature == Feature::kProjected && !projection_DP_.defined()) {
    fail(ExitCode::kUsage, "{} has no projection of its patches; use its normed tokens",
         name_of(options_.kind));
  }
  // One view of all patches in any order; the ViT does not read neighbours.
  masks::ViewPlan plan;
  plan.order_BL = order_BL;
  plan.sizes = {grid_.patches()};
  plan.kept = 1;
  plan.grid = grid_;
  const encoder::Features seen = (*encoder_)(pixels, plan, observer);
  if (feature == Feature::kTokens) return seen.tokens_BKC;  // [B, L, D]
  if (feature == Feature::kNormed) return seen.latent_BKC;
  return at::matmul(seen.latent_BKC, projection_DP_.to(compute));  // [B, L, P]
}

double multiply_adds(const TeacherOptions& options) {
  const int64_t class_tokens = options.kind == TeacherKind::kSiglip ? 0 : 1;
  const int64_t tokens = class_tokens + options.registers + grid_of(options).patches();
  const int64_t pixels = options.stride * options.stride * options.channels;
  return nn::blocks_cost(options.depth, tokens, tokens, options.dim, options.mlp_ratio)
             .multiply_adds +
         static_cast<double>(tokens) * static_cast<double>(options.dim * pixels);
}

ops::Normalisation normalisation_of(const TeacherOptions& options) {
  return {{options.mean.begin(), options.mean.end()},
          {options.stddev.begin(), options.stddev.end()}};
}

at::Tensor normalised_tokens(const at::Tensor& features_BLD) {
  const at::ScalarType wide = at::promote_types(features_BLD.scalar_type(), at::kFloat);
  return at::layer_norm(features_BLD.to(wide), {features_BLD.size(-1)}, {}, {}, 1e-5);
}

}  // namespace fcm::targets
