#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fcm/config/field.h"
#include "fcm/targets/teacher_options.h"

namespace fcm::targets {

// What targets.clip_tower and targets.dino_tower may be: `target` is "clip" or "dino".
std::vector<std::string> tower_names(const std::string& target);

// What is to be reconstructed for each hidden patch: its pixels, and features that other networks
// have of it when they see the whole picture. Values follow section 2.4 of the project's
// specification, since none were published; SmoothL1 on normalised tokens as in MaskAlign, the
// mimicked visible tokens as in MR-MAE (arXiv 2303.05475).
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
  // Those whose features somebody has to make, the mimicked one among them.
  std::vector<std::string> features() const;
  double weight(const std::string& name) const;  // of one of these; "mimic"

  template <class Visitor>
  void visit(Visitor& visitor) {
    const config::Range weight{0, 1e6};
    const config::Range share{0, 1};
    visitor("norm_pix", norm_pix, "normalise each target patch by its own mean and deviation");
    visitor("variance_epsilon", variance_epsilon, share,
            "added to the variance of a patch before the root");
    visitor("pixel_loss", pixel_loss, config::OneOf{{"mse", "l1"}},
            "of pixels: squared or absolute differences");
    visitor("rgb", rgb, weight, "weight of the loss of pixels; 0: no target");
    visitor("clip", clip, weight, "weight of CLIP's or SigLIP's features; 0: no target");
    visitor("dino", dino, weight, "weight of the features of a DINO; 0: no target");
    visitor("ema", ema, weight,
            "weight of features of the encoder's own moving average; 0: no target");
    visitor("loss", loss, config::OneOf{{"smooth_l1", "mse", "cosine"}}, "of features");
    visitor("last_blocks", last_blocks, config::Range{1, 256},
            "features are the mean of what so many last blocks leave, normalised; 1: the end");
    visitor(
        "clip_tower", clip_tower, config::OneOf{tower_names("clip")},
        "size of CLIP or SigLIP; tiny ones are random where no file is given, for trying things "
        "out");
    visitor("clip_feature", clip_feature, config::OneOf{{"tokens", "normed", "projected"}},
            "tokens before ln_post, behind it (SigLIP's always), or projected (CLIP's alone)");
    visitor("dino_tower", dino_tower, config::OneOf{tower_names("dino")},
            "size of DINO, DINOv2 or DINOv3; tiny ones as above");
    visitor("ema_momentum", ema_momentum, share, "of the moving average at the first step");
    visitor("ema_last_momentum", ema_last_momentum, share,
            "at the last step; a cosine lies between");
    visitor("mimic", mimic, config::OneOf{{"none", "clip", "dino", "ema"}},
            "whose features visible patches are to have, behind a norm and a Linear");
    visitor("mimic_weight", mimic_weight, weight, "weight of that loss");
  }
};

// Numbers a feature target has for a patch; encoder_dim is the width of the EMA's.
int64_t feature_dim(const TargetOptions& options, const std::string& name, int64_t encoder_dim);

// The tower that the options name for "clip" or "dino", for pictures of rows x cols patches.
TeacherOptions tower_options(const TargetOptions& options, const std::string& target, int64_t rows,
                             int64_t cols);
Feature tower_feature(const TargetOptions& options, const std::string& target);

// Whether that tower is one of ours, which can do without a file.
bool is_random_tower(const TargetOptions& options, const std::string& target);

// The name under which recipes know a tower of this kind and size; empty: they do not.
std::string name_of_size(const TeacherOptions& tower);

}  // namespace fcm::targets
