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
            "classes of the objects; 0: as many as the data name");
    visitor(
        "form", form, config::OneOf{{"shared_tables", "decomposed"}},
        "how the encoder's blocks know where a patch is, and which maps the pyramid is made of. "
        "shared_tables: two tables of biases for all blocks, maps of all stages (ConvMAE's and "
        "MIMDet's). decomposed: tables of each block for rows and columns, the last map alone "
        "(the official ConvMAE-Det)");
    visitor("window", window, config::Range{0, 256},
            "rows and columns of patches that attend to each other; swin: 0, encoder.window says");
    visitor("global_blocks", global_blocks, config::Range{0, 255, config::Range::kAnyLength},
            "blocks of the transformer, from 0, that attend over the whole picture; swin: none");
    visitor("channels", channels, config::Range{1, 16384}, "of the pyramid's maps");
    visitor("box_features", box_features, config::Range{1, 65536},
            "numbers by which a region is classified");
    visitor("drop_path", drop_path, config::Range{0, 0.99},
            "probability that the last block's branches are left out; from 0 at the first");
    visitor("layer_decay", layer_decay, config::Range{1e-3, 1},
            "each layer below the last learns so much slower than the one above; 1: all alike");
    visitor("sampled_anchors", sampled_anchors, config::Range{1, 1e6},
            "anchors of a picture that the loss of proposals is taken of, half of them positive at "
            "most");
    visitor("proposals_before_nms", proposals_before_nms, config::Range{1, 1e6, 2},
            "best anchors of each level that become proposals: in training, in testing");
    visitor("proposals", proposals, config::Range{1, 1e6, 2},
            "of a picture, behind suppression: in training, in testing");
    visitor("sampled_regions", sampled_regions, config::Range{1, 1e6},
            "proposals of a picture that the heads learn from, a quarter of them objects at most");
    visitor("score", score, config::Range{0, 1}, "detections below it are left out");
    visitor("detections", detections, config::Range{1, 1e6}, "of a picture, at most");
  }
};

}  // namespace fcm::recipe
