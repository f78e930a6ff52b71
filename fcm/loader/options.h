#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fcm/config/field.h"

namespace fcm::loader {

// From files to pictures of one size. Defaults are the published pretraining transform:
// torchvision's RandomResizedCrop (bicubic, antialiased) and a flip, ImageNet normalisation.
struct DataOptions {
  std::vector<int64_t> image_size{224, 224};  // rows, columns
  int64_t channels = 3;                       // 1: grey
  std::vector<double> mean{0.485, 0.456, 0.406};
  std::vector<double> deviation{0.229, 0.224, 0.225};
  std::vector<double> crop_scale{0.2, 1.0};              // share of the picture's area
  std::vector<double> crop_ratio{3.0 / 4.0, 4.0 / 3.0};  // width over height
  std::string interpolation = "bicubic";
  double flip = 0.5;
  int64_t pad = 0;  // zero pixels added on every side before cropping (28 px -> 32 px: 2)
  double max_bad_share = 0.001;  // of an epoch
  int64_t max_bad_in_a_row = 20;

  template <class Visitor>
  void visit(Visitor& visitor) {
    visitor("image_size", image_size, config::Range{1, 8192, 2},
            "rows and columns the network sees");
    visitor("channels", channels, config::Range{1, 3}, "3: RGB, 1: grey");
    visitor("mean", mean, config::Range{}, "subtracted, per channel, of pixels scaled to 0..1");
    visitor("deviation", deviation, config::Range{1e-6, 1e6}, "divided by, per channel");
    visitor("crop_scale", crop_scale, config::Range{1e-6, 1, 2},
            "smallest and largest share of the area");
    visitor("crop_ratio", crop_ratio, config::Range{1e-3, 1e3, 2},
            "smallest and largest width over height");
    visitor("interpolation", interpolation, config::OneOf{{"bicubic", "bilinear"}},
            "antialiased, as Pillow's");
    visitor("flip", flip, config::Range{0, 1}, "probability of a horizontal flip");
    visitor("pad", pad, config::Range{0, 1024}, "black pixels added on every side before cropping");
    visitor("max_bad_share", max_bad_share, config::Range{0, 1},
            "unreadable pictures of an epoch that end the run");
    visitor("max_bad_in_a_row", max_bad_in_a_row, config::Range{1, 1000000},
            "unreadable pictures in a row that end the run");
  }
};

}  // namespace fcm::loader
