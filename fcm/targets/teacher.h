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

// This program's ViT with the options of the tower's kind. Parameters have timm's names
// (interop/tower_names.h), belong to no optimizer, and are to be loaded from a file.
class Teacher {
 public:
  // Throws Error(kUsage) if the images do not divide into patches.
  explicit Teacher(const TeacherOptions& options, const at::TensorOptions& held = at::kFloat);

  masks::Grid grid() const { return grid_; }
  const ops::PatchGeometry& geometry() const { return geometry_; }
  const TeacherOptions& options() const { return options_; }
  nn::Parameters& parameters() { return *parameters_; }
  const nn::Parameters& parameters() const { return *parameters_; }

  // pixels [B, L, 1, stride^2 * channels], patches of geometry() in the order order_BL (slot ->
  // patch; a plan's, or the raster order of masks::full_plan), normalised by normalisation_of().
  // The tower sees all patches of an image at once, runs in `compute` and records no gradient.
  // Returns [B, L, D or P] in that order, of type `compute`, without class token and registers.
  // Throws Error(kUsage) for kProjected if the options have no projection. The observer sees the
  // outputs of blocks, "blocks.0", ... [B, T, D], the patches last.
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

// The mean and std that a tower normalises pixels with.
ops::Normalisation normalisation_of(const TeacherOptions& options);

// LayerNorm without weights: each token minus its mean, divided by its std; epsilon 1e-5, in
// float32 at least.
at::Tensor normalised_tokens(const at::Tensor& features_BLD);

}  // namespace fcm::targets
