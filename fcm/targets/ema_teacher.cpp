#include "fcm/targets/ema_teacher.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>

#include "fcm/encoder/registry.h"
#include "fcm/targets/last_blocks.h"
#include "fcm/targets/teacher.h"

namespace fcm::targets {

double ema_momentum(const TargetOptions& options, int64_t step, int64_t steps) {
  const double done = static_cast<double>(step) / static_cast<double>(steps);
  return options.ema_last_momentum - (options.ema_last_momentum - options.ema_momentum) *
                                         (1 + std::cos(std::numbers::pi * done)) / 2;
}

EmaTeacher::EmaTeacher(const Student& student, const at::TensorOptions& held)
    : student_(student), parameters_(std::make_unique<nn::Parameters>(/*seed=*/0, held)) {
  const nn::Scope scope(*parameters_);
  const encoder::Embeddings embeddings =
      encoder::add_embeddings(scope, student.kind, student.encoder.dims.back(), student.grid,
                              /*trainable_positions=*/false);
  encoder_ = encoder::make_encoder(student.kind, scope, student.encoder, student.channels,
                                   embeddings, encoder::Outputs{.norm = true, .fuse = true});
}

void EmaTeacher::start_from(const nn::Parameters& student) { follow(student, 0); }

void EmaTeacher::follow(const nn::Parameters& student, double momentum) {
  const at::NoGradGuard no_gradient;
  for (const nn::Parameter& average : parameters_->all()) {
    at::Tensor value = average.value;
    value.lerp_(student.find(average.name).value, 1 - momentum);
  }
}

at::Tensor EmaTeacher::features(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan,
                                int64_t last_blocks, at::ScalarType compute) const {
  const at::NoGradGuard no_gradient;
  const masks::ViewPlan whole = masks::unmasked(plan);
  const at::Tensor pixels = pixels_BLPD.to(compute);
  if (last_blocks == 1) return normalised_tokens((*encoder_)(pixels, whole).latent_BKC);
  LastBlocks blocks(encoder::family(student_.kind).last_blocks(student_.encoder),
                    student_.encoder.depths.back(), last_blocks, plan.patches());
  (*encoder_)(pixels, whole, blocks.observer());
  return blocks.mean_BLD();
}

Spread spread_of(const at::Tensor& features_BLD) {
  const at::Tensor stddev_D = features_BLD.flatten(0, 1).std(0, /*unbiased=*/false);
  return {stddev_D.mean().item<double>(), stddev_D.min().item<double>()};
}

}  // namespace fcm::targets
