// What a detector adds to an encoder, and how it is measured.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fcm/config/field.h"

namespace fcm::recipe {

// Defaults are those of ConvMAE's detection.
struct DetectorSection {
  int64_t classes = 0;
  std::string form = "shared_tables";
  int64_t window = 16;
  std::vector<int64_t> global_blocks{0, 3, 6, 10};
  int64_t channels = 256;
  int64_t box_features = 1024;
  double drop_path = 0.1;
  double layer_decay = 1;
  int64_t sampled_anchors = 256;
  std::vector<int64_t> proposals_before_nms{2000, 1000};
  std::vector<int64_t> proposals{1000, 1000};
  int64_t sampled_regions = 512;
  double score = 0.05;
  int64_t detections = 100;

  template <class Visitor>
  void visit(Visitor& visitor) {
    visitor("classes", classes, config::Range{0, 65535},
            "number of object classes; 0: as many as the data name");
    visitor("form", form, config::OneOf{{"shared_tables", "decomposed"}},
            "relative positions of the encoder's blocks, and input maps of the pyramid. "
            "shared_tables: two bias tables shared by all blocks, maps of all stages (ConvMAE and "
            "MIMDet). decomposed: tables per block for rows and for columns, only the last map "
            "(the official ConvMAE-Det)");
    visitor("window", window, config::Range{0, 256},
            "side of attention windows, in patches; swin: 0, since it uses encoder.window");
    visitor("global_blocks", global_blocks, config::Range{0, 255, config::Range::kAnyLength},
            "transformer blocks, from 0, that attend over the whole image; swin: none");
    visitor("channels", channels, config::Range{1, 16384}, "channels of the pyramid's maps");
    visitor("box_features", box_features, config::Range{1, 65536},
            "width of the box head's hidden layer");
    visitor("drop_path", drop_path, config::Range{0, 0.99},
            "probability that the last block's branches are dropped; rises from 0 at the first");
    visitor(
        "layer_decay", layer_decay, config::Range{1e-3, 1},
        "learning rate of each layer below the last, over that of the layer above; 1: all equal");
    visitor("sampled_anchors", sampled_anchors, config::Range{1, 1e6},
            "anchors per image in the loss of the proposal network (RPN), at most half of them "
            "positive");
    visitor("proposals_before_nms", proposals_before_nms, config::Range{1, 1e6, 2},
            "best anchors of each level kept before NMS: in training, in testing");
    visitor("proposals", proposals, config::Range{1, 1e6, 2},
            "proposals per image after NMS: in training, in testing");
    visitor("sampled_regions", sampled_regions, config::Range{1, 1e6},
            "proposals per image that train the heads, at most a quarter of them positive");
    visitor("score", score, config::Range{0, 1}, "detections with a lower score are dropped");
    visitor("detections", detections, config::Range{1, 1e6},
            "maximum number of detections per image");
  }
};

}  // namespace fcm::recipe
