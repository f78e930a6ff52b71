// Frozen image towers: features of whole pictures as targets.
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

// The ViT of this program with the options of the kind. Parameters have timm's names
// (interop/tower_names.h), belong to no optimizer, and are to be read from a file.
class Teacher {
 public:
  // Throws Error(kUsage) for pictures that do not divide into patches.
  explicit Teacher(const TeacherOptions& options, const at::TensorOptions& held = at::kFloat);

  masks::Grid grid() const { return grid_; }
  const ops::PatchGeometry& geometry() const { return geometry_; }
  const TeacherOptions& options() const { return options_; }
  nn::Parameters& parameters() { return *parameters_; }
  const nn::Parameters& parameters() const { return *parameters_; }

  // pixels [B, L, 1, stride^2 * channels] cut by `geometry` in the order order_BL (slot -> patch; a
  // plan's, or the raster order of masks::full_plan), normalised as the tower wants them. The tower
  // sees all patches of a picture at once, runs in `compute` and records no gradient. [B, L, D or
  // P] in that order, of type `compute`; class token and registers are left out. Throws
  // Error(kUsage) for a projection where the options have none.
  // The observer sees what the blocks leave, "blocks.0", ... [B, T, D], the patches last.
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

// Of one picture that a tower looks at: products and attention.
double multiply_adds(const TeacherOptions& options);

// How a tower wants its pixels.
ops::Normalisation normalisation_of(const TeacherOptions& options);

// Every token less its mean, over its deviation: LayerNorm without weights, epsilon 1e-5, in
// float32 at least.
at::Tensor normalised_tokens(const at::Tensor& features_BLD);

}  // namespace fcm::targets
