// What a classifier adds to an encoder, and how it is measured.
#pragma once

#include <string>

#include "fcm/config/field.h"

namespace fcm::recipe {

struct ClassifierSection {
  std::string learns = "all";
  std::string pool = "mean";
  double drop_path = 0;
  double layer_decay = 1;
  double eval_crop = 1;
  double ema_decay = 0;

  template <class Visitor>
  void visit(Visitor& visitor) {
    visitor("learns", learns, config::OneOf{{"all", "head"}},
            "all: fine-tuning by AdamW; head: the published linear probe of a frozen encoder, by "
            "LARS with momentum optim.beta1");
    visitor("pool", pool, config::OneOf{{"mean", "token"}},
            "mean: of all patches; token: a ViT's class token, a ConvViT's top left patch");
    visitor("drop_path", drop_path, config::Range{0, 0.99},
            "probability that an image skips the last block's branches; rises from 0 at the first");
    visitor(
        "layer_decay", layer_decay, config::Range{1e-3, 1},
        "learning rate of each layer below the head, over that of the layer above; 1: all equal");
    visitor(
        "eval_crop", eval_crop, config::Range{0.1, 1},
        "side of the evaluation crop over the resized image's shorter side: 0.875 is 224 of 256");
    visitor("ema_decay", ema_decay, config::Range{0, 0.999999},
            "decay of a moving average (EMA) of the weights per step; the average is measured and "
            "saved. 0: no average");
  }
};

}  // namespace fcm::recipe
