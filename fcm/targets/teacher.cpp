#include "fcm/targets/teacher.h"

#include <ATen/ATen.h>

#include "fcm/base/error.h"
#include "fcm/encoder/registry.h"
#include "fcm/nn/cost.h"

namespace fcm::targets {
namespace {

masks::Grid grid_of(const TeacherOptions& options) {
  if (options.rows % options.stride != 0 || options.cols % options.stride != 0) {
    fail(ExitCode::kUsage,
         "pictures of {} x {} pixels do not divide into the teacher's patches of {} x {}; choose "
         "multiples of {}",
         options.rows, options.cols, options.stride, options.stride, options.stride);
  }
  return {options.rows / options.stride, options.cols / options.stride};
}

constexpr const char* kDino = "vit";  // the encoder that DINO's tower is

std::unique_ptr<encoder::Encoder> make_dino(const nn::Scope& scope, const TeacherOptions& options,
                                            masks::Grid grid) {
  encoder::EncoderOptions vit;
  vit.strides = {options.stride};
  vit.dims = {options.dim};
  vit.depths = {options.depth};
  vit.heads = options.heads;
  vit.mlp_ratios = {options.mlp_ratio};
  const encoder::Embeddings embeddings =
      encoder::add_embeddings(scope, kDino, options.dim, grid, /*trainable_positions=*/false);
  return encoder::make_encoder(kDino, scope, vit, options.channels, embeddings,
                               encoder::Outputs{.norm = true});
}

}  // namespace

Teacher::Teacher(const TeacherOptions& options, const at::TensorOptions& held)
    : options_(options),
      geometry_{{options.stride}},
      grid_(grid_of(options)),
      parameters_(std::make_unique<nn::Parameters>(/*seed=*/0, held)) {
  const nn::Scope scope(*parameters_);
  if (options.kind == TeacherKind::kDino) {
    dino_ = make_dino(scope, options, grid_);
  } else {
    clip_.emplace(scope / "visual", options, grid_);
  }
}

at::Tensor Teacher::features(const at::Tensor& pixels_BLPD, const at::Tensor& order_BL,
                             Feature feature, at::ScalarType compute,
                             const nn::Observer& observer) const {
  require(order_BL.size(1) == grid_.patches(),
          "Teacher: an order of {} patches, wanted all {} of its pictures", order_BL.size(1),
          grid_.patches());
  const at::NoGradGuard no_gradient;
  const at::Tensor pixels = pixels_BLPD.to(compute);
  if (clip_) return (*clip_)(pixels, order_BL, feature, observer);  // [B, L, D or P]
  if (feature == Feature::kProjected) {
    fail(ExitCode::kUsage, "DINO has no projection of its patches; use its normed tokens");
  }
  // One view of all patches, in whatever order; the ViT looks at no neighbours.
  masks::ViewPlan plan;
  plan.order_BL = order_BL;
  plan.sizes = {grid_.patches()};
  plan.kept = 1;
  plan.grid = grid_;
  const encoder::Features seen = (*dino_)(pixels, plan, observer);
  return feature == Feature::kTokens ? seen.tokens_BKC : seen.latent_BKC;  // [B, L, D]
}

double multiply_adds(const TeacherOptions& options) {
  const int64_t tokens = 1 + grid_of(options).patches();
  const int64_t pixels = options.stride * options.stride * options.channels;
  return nn::blocks_cost(options.depth, tokens, tokens, options.dim, options.mlp_ratio)
             .multiply_adds +
         static_cast<double>(tokens) * static_cast<double>(options.dim * pixels);
}

ops::Normalisation normalisation_of(TeacherKind kind) {
  if (kind == TeacherKind::kClip) {
    return {{0.48145466, 0.4578275, 0.40821073}, {0.26862954, 0.26130258, 0.27577711}};
  }
  return {{0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}};
}

at::Tensor normalised_tokens(const at::Tensor& features_BLD) {
  const at::ScalarType wide = at::promote_types(features_BLD.scalar_type(), at::kFloat);
  return at::layer_norm(features_BLD.to(wide), {features_BLD.size(-1)}, {}, {}, 1e-5);
}

}  // namespace fcm::targets
