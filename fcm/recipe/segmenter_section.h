// What a segmenter adds to an encoder, and how it is measured.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fcm/config/field.h"

namespace fcm::recipe {

struct SegmenterSection {
  int64_t classes = 0;
  int64_t channels = 768;
  int64_t aux_channels = 256;
  double aux_weight = 0.4;
  std::vector<int64_t> taps;
  double dropout = 0.1;
  double drop_path = 0;
  double layer_decay = 1;
  std::string windows = "slide";
  std::vector<int64_t> stride{341, 341};

  template <class Visitor>
  void visit(Visitor& visitor) {
    visitor("classes", classes, config::Range{0, 255},
            "number of classes; 0: as many as the data name");
    visitor("channels", channels, config::Range{1, 16384}, "channels of UperNet's maps");
    visitor("aux_channels", aux_channels, config::Range{1, 16384},
            "channels of the auxiliary head on the third map, used only in training");
    visitor("aux_weight", aux_weight, config::Range{0, 100}, "weight of the auxiliary head's loss");
    visitor("taps", taps, config::Range{0, 255, config::Range::kAnyLength},
            "vit: the four blocks, from 0, whose outputs are the feature maps; conv_vit: none, its "
            "stages are the maps");
    visitor("dropout", dropout, config::Range{0, 0.99},
            "probability that a channel is dropped before the classifier");
    visitor("drop_path", drop_path, config::Range{0, 0.99},
            "probability that an image skips the last block's branches; rises from 0 at the first");
    visitor("layer_decay", layer_decay, config::Range{1e-3, 1},
            "learning rate of each layer below the heads, over that of the layer above; 1: all "
            "equal");
    visitor("windows", windows, config::OneOf{{"slide", "whole"}},
            "windows of evaluation. slide: windows of data.image_size, with logits averaged where "
            "they overlap; whole: one window");
    visitor("stride", stride, config::Range{1, 8192, 2},
            "windows = \"slide\": pixels from one window to the next, in rows and columns");
  }
};

}  // namespace fcm::recipe
