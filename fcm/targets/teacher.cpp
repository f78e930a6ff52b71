#include "fcm/targets/teacher.h"

#include <ATen/ATen.h>

#include <array>

#include "fcm/base/error.h"

namespace fcm::targets {
namespace {

constexpr std::array<double, 3> kImageNetMean{0.485, 0.456, 0.406};
constexpr std::array<double, 3> kImageNetDeviation{0.229, 0.224, 0.225};
constexpr std::array<double, 3> kClipMean{0.48145466, 0.4578275, 0.40821073};
constexpr std::array<double, 3> kClipDeviation{0.26862954, 0.26130258, 0.27577711};

masks::Grid grid_of(const TeacherOptions& options) {
  if (options.rows % options.stride != 0 || options.cols % options.stride != 0) {
    fail(ExitCode::kUsage,
         "pictures of {} x {} pixels do not divide into the teacher's patches of {} x {}; choose "
         "multiples of {}",
         options.rows, options.cols, options.stride, options.stride, options.stride);
  }
  return {options.rows / options.stride, options.cols / options.stride};
}

std::unique_ptr<encoder::Encoder> make_dino(const nn::Scope& scope, const TeacherOptions& options,
                                            masks::Grid grid) {
  encoder::EncoderOptions vit;
  vit.strides = {options.stride};
  vit.dims = {options.dim};
  vit.depths = {options.depth};
  vit.heads = options.heads;
  vit.mlp_ratios = {options.mlp_ratio};
  const encoder::Embeddings embeddings = encoder::add_embeddings(
      scope, encoder::Kind::kVit, options.dim, grid, /*trainable_positions=*/false);
  return encoder::make_encoder(encoder::Kind::kVit, scope, vit, options.channels, embeddings,
                               encoder::Ending::kNorm);
}

}  // namespace

Teacher::Teacher(const TeacherOptions& options, at::ScalarType dtype)
    : options_(options),
      geometry_{{options.stride}},
      grid_(grid_of(options)),
      parameters_(std::make_unique<nn::Parameters>(/*seed=*/0, dtype)) {
  const nn::Scope scope(*parameters_);
  if (options.kind == TeacherKind::kDino) {
    dino_ = make_dino(scope, options, grid_);
  } else {
    clip_.emplace(scope / "visual", options, grid_);
  }
}

at::Tensor Teacher::features(const at::Tensor& pixels_BLPD, const at::Tensor& order_BL,
                             Feature feature, at::ScalarType compute) const {
  require(order_BL.size(1) == grid_.patches(), "a teacher that does not see every patch");
  const at::NoGradGuard no_gradient;
  const at::Tensor pixels = pixels_BLPD.to(compute);
  if (clip_) return (*clip_)(pixels, order_BL, feature);  // [B, L, D or P]
  if (feature == Feature::kProjected) {
    fail(ExitCode::kUsage, "DINO has no projection of its patches; use its normed tokens");
  }
  // One view of all patches, in whatever order; the ViT looks at no neighbours.
  masks::ViewPlan plan;
  plan.order_BL = order_BL;
  plan.sizes = {grid_.patches()};
  plan.kept = 1;
  plan.grid = grid_;
  const encoder::Features seen = (*dino_)(pixels, plan);
  return feature == Feature::kTokens ? seen.tokens_BKC : seen.latent_BKC;  // [B, L, D]
}

at::Tensor renormalised_for_clip(const at::Tensor& pixels_BLPD) {
  std::array<double, 3> scale{}, shift{};
  for (size_t c = 0; c < 3; ++c) {
    scale[c] = kImageNetDeviation[c] / kClipDeviation[c];
    shift[c] = (kImageNetMean[c] - kClipMean[c]) / kClipDeviation[c];
  }
  const at::TensorOptions type = pixels_BLPD.options().dtype(at::kDouble);
  const auto per_channel = [&](std::array<double, 3>& values) {
    return at::from_blob(values.data(), {3}, type).to(pixels_BLPD.scalar_type());
  };
  return (pixels_BLPD.unflatten(-1, {-1, 3}) * per_channel(scale) + per_channel(shift))
      .flatten(-2);  // [B, L, P, D]
}

at::Tensor normalised_tokens(const at::Tensor& features_BLD) {
  const at::ScalarType wide = at::promote_types(features_BLD.scalar_type(), at::kFloat);
  return at::layer_norm(features_BLD.to(wide), {features_BLD.size(-1)}, {}, {}, 1e-5);
}

}  // namespace fcm::targets
