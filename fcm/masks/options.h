#pragma once

#include "fcm/config/field.h"

namespace fcm::masks {

struct MaskOptions {
  double ratio = 0.75;       // share of patches hidden from each view
  config::CountOrAll views;  // how many of the views the encoder sees

  template <class Visitor>
  void visit(Visitor& visitor) {
    visitor("ratio", ratio, config::Range{0.0, 0.99},
            "share of patches hidden from each view; an image has 1/(1-ratio) views, rounded");
    visitor("views", views, config::Range{1, 4096},
            "how many views are trained on: a number, or \"all\" (Fast ConvMAE); 1 is ConvMAE");
  }
};

}  // namespace fcm::masks
