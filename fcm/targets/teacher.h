// Frozen image towers: features of whole images as targets.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "fcm/encoder/encoder.h"
#include "fcm/masks/view_plan.h"
#include "fcm/nn/parameters.h"
#include "fcm/ops/patches.h"
#include "fcm/ops/patchify/op.h"
#include "fcm/targets/teacher_options.h"

namespace fcm::targets {

// A frozen tower: this program's ViT with the options of the tower's kind. Parameters have timm's
// names (interop/tower_names.h) and belong to no optimizer; the caller sets their values.
class Teacher {
 public:
  // Throws Error(kUsage) if the images do not divide into patches.
  explicit Teacher(const TeacherOptions& options, const at::TensorOptions& held = at::kFloat);

  masks::Grid grid() const { return grid_; }
  const ops::PatchGeometry& geometry() const { return geometry_; }
  const TeacherOptions& options() const { return options_; }
  nn::Parameters& parameters() { return *parameters_; }
  const nn::Parameters& parameters() const { return *parameters_; }

  // pixels [B, L, 1, stride^2 * channels]: patches of geometry(), normalised by normalisation_of(),
  // in the order order_BL (slot -> raster index; that of a plan, or of masks::full_plan).
  // Returns [B, L, D or P] in the same order, of type `compute`, without class token and registers.
  // The tower sees all patches of an image at once, runs in `compute` and records no gradient.
  // Throws Error(kUsage) for kProjected if the options have no projection. The observer sees the
  // outputs of the blocks, "blocks.0", ... [B, T, D], whose last L tokens are the patches.
  at::Tensor features(const at::Tensor& pixels_BLPD, const at::Tensor& order_BL, Feature feature,
                      at::ScalarType compute, const nn::Observer& observer = {}) const;

 private:
  TeacherOptions options_;
  ops::PatchGeometry geometry_;
  masks::Grid grid_;
  std::unique_ptr<nn::Parameters> parameters_;
  std::unique_ptr<encoder::Encoder> encoder_;
  at::Tensor projection_DP_;
};

// Multiply-adds of a tower for one image: matrix products and attention.
double multiply_adds(const TeacherOptions& options);

// The mean and std with which a tower's pixels are normalised.
ops::Normalisation normalisation_of(const TeacherOptions& options);

// LayerNorm without weights: each token minus its mean, divided by its std. Epsilon is 1e-5;
// arithmetic and result are in float32, or in the features' type if that is wider.
at::Tensor normalised_tokens(const at::Tensor& features_BLD);

}  // namespace fcm::targets
