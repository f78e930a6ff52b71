#pragma once

#include "fcm/config/field.h"

namespace fcm::targets {

// What is to be reconstructed: the pixels of hidden patches.
struct TargetOptions {
  bool norm_pix = true;
  double variance_epsilon = 1e-6;

  template <class Visitor>
  void visit(Visitor& visitor) {
    visitor("norm_pix", norm_pix, "normalise each target patch by its own mean and deviation");
    visitor("variance_epsilon", variance_epsilon, config::Range{0, 1},
            "added to the variance of a patch before the root");
  }
};

}  // namespace fcm::targets
