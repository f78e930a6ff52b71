#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fcm/config/field.h"
#include "fcm/targets/teacher_options.h"

namespace fcm::targets {

// The valid values of targets.clip_tower or targets.dino_tower; `target` is "clip" or "dino".
std::vector<std::string> tower_names(const std::string& target);

// The targets of each hidden patch: its pixels, and features that other networks compute from the
// whole image. Upstream published no values for feature targets, so the defaults are this
// project's. The default loss of features is SmoothL1 on normalised tokens, as in MaskAlign. With
// `mimic`, visible tokens mimic a teacher as in MR-MAE (arXiv 2303.05475); by default they do not.
struct TargetOptions {
  bool norm_pix = true;
  double variance_epsilon = 1e-6;
  std::string pixel_loss = "mse";
  // Weights of the losses; 0: not a target.
  double rgb = 1, clip = 0, dino = 0, ema = 0;
  std::string loss = "smooth_l1";
  int64_t last_blocks = 1;
  std::string clip_tower = "vit_b16", clip_feature = "tokens";
  std::string dino_tower = "vit_b16";
  double ema_momentum = 0.996, ema_last_momentum = 1;
  std::string mimic = "none";
  double mimic_weight = 1;

  // Names of the targets of the decoder, in this order: "rgb", "clip", "dino", "ema".
  std::vector<std::string> reconstructed() const;
  // Names of the targets that need a teacher's features, including the mimicked target.
  std::vector<std::string> features() const;
  double weight(const std::string& name) const;  // of a target, or of "mimic"

  template <class Visitor>
  void visit(Visitor& visitor) {
    const config::Range weight{0, 1e6};
    const config::Range share{0, 1};
    visitor("norm_pix", norm_pix, "normalise each target patch by its own mean and std");
    visitor("variance_epsilon", variance_epsilon, share,
            "added to the variance of a patch before the square root");
    visitor("pixel_loss", pixel_loss, config::OneOf{{"mse", "l1"}},
            "loss of pixels: squared or absolute error");
    visitor("rgb", rgb, weight, "weight of the pixel loss; 0: not a target");
    visitor("clip", clip, weight,
            "weight of the loss of CLIP's or SigLIP's features; 0: not a target");
    visitor("dino", dino, weight, "weight of the loss of DINO features; 0: not a target");
    visitor("ema", ema, weight,
            "weight of the loss of features of the encoder's own moving average; 0: not a target");
    visitor("loss", loss, config::OneOf{{"smooth_l1", "mse", "cosine"}}, "loss of features");
    visitor("last_blocks", last_blocks, config::Range{1, 256},
            "features are the mean of this many last blocks' normalised outputs; 1: the final "
            "output");
    visitor("clip_tower", clip_tower, config::OneOf{tower_names("clip")},
            "name of a CLIP or SigLIP tower; tiny towers, for tests, are random unless a file is "
            "given");
    visitor("clip_feature", clip_feature, config::OneOf{{"tokens", "normed", "projected"}},
            "tokens: before ln_post; normed: after ln_post (always for SigLIP); projected: after "
            "CLIP's projection");
    visitor("dino_tower", dino_tower, config::OneOf{tower_names("dino")},
            "name of a DINO, DINOv2 or DINOv3 tower; tiny towers as for clip_tower");
    visitor("ema_momentum", ema_momentum, share,
            "momentum of the moving average at the first step");
    visitor("ema_last_momentum", ema_last_momentum, share,
            "momentum at the last step; between first and last step it follows a half cosine");
    visitor("mimic", mimic, config::OneOf{{"none", "clip", "dino", "ema"}},
            "teacher whose features visible patches predict, through a norm and a linear layer");
    visitor("mimic_weight", mimic_weight, weight, "weight of the mimic loss");
  }
};

// Length of a feature target's vector per patch; encoder_dim is the width of the EMA's features.
int64_t feature_dim(const TargetOptions& options, const std::string& name, int64_t encoder_dim);

// The tower that the options select for "clip" or "dino", for images of rows x cols patches.
TeacherOptions tower_options(const TargetOptions& options, const std::string& target, int64_t rows,
                             int64_t cols);
Feature tower_feature(const TargetOptions& options, const std::string& target);

// Whether the selected tower is one of this project's tiny towers, which need no file.
bool is_random_tower(const TargetOptions& options, const std::string& target);

// The name that recipes use for a tower of this kind and size; empty: none.
std::string name_of_size(const TeacherOptions& tower);

}  // namespace fcm::targets
