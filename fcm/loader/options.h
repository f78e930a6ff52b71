#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fcm/config/field.h"

namespace fcm::loader {

// Transform of images to one size. Defaults are upstream's pretraining transform: torchvision's
// RandomResizedCrop (bicubic, antialiased) and a flip, ImageNet normalisation.
struct DataOptions {
  std::vector<int64_t> image_size{224, 224};  // rows, columns
  int64_t channels = 3;                       // 1: grey
  std::vector<double> mean{0.485, 0.456, 0.406};
  std::vector<double> stddev{0.229, 0.224, 0.225};
  std::vector<double> crop_scale{0.2, 1.0};              // share of the image's area
  std::vector<double> crop_ratio{3.0 / 4.0, 4.0 / 3.0};  // width over height
  std::string interpolation = "bicubic";
  double flip = 0.5;
  int64_t pad = 0;  // zero pixels added on every side before cropping (28 px -> 32 px: 2)
  double max_bad_share = 0.001;  // of an epoch
  int64_t max_bad_in_a_row = 20;

  template <class Visitor>
  void visit(Visitor& visitor) {
    visitor("image_size", image_size, config::Range{1, 8192, 2},
            "rows and columns of the images that the network sees");
    visitor("channels", channels, config::Range{1, 3}, "3: RGB, 1: grey");
    visitor("mean", mean, config::Range{},
            "mean per channel of pixels scaled to 0..1; is subtracted");
    visitor("deviation", stddev, config::Range{1e-6, 1e6},
            "std per channel of pixels scaled to 0..1; is divided by");
    visitor("crop_scale", crop_scale, config::Range{1e-6, 1, 2},
            "random crop: smallest and largest share of the area");
    visitor("crop_ratio", crop_ratio, config::Range{1e-3, 1e3, 2},
            "random crop: smallest and largest width over height");
    visitor("interpolation", interpolation, config::OneOf{{"bicubic", "bilinear"}},
            "interpolation of resizing, antialiased as in Pillow");
    visitor("flip", flip, config::Range{0, 1}, "probability of a horizontal flip");
    visitor("pad", pad, config::Range{0, 1024}, "black pixels added on every side before cropping");
    visitor("max_bad_share", max_bad_share, config::Range{0, 1},
            "share of unreadable images in an epoch above which the run ends");
    visitor("max_bad_in_a_row", max_bad_in_a_row, config::Range{1, 1000000},
            "unreadable images in a row that end the run");
  }
};

// Augmentation of fine-tuning besides crop and flip. Names and meanings are timm's, as used by
// MAE's and ConvMAE's main_finetune.py; everything is off by default.
struct AugmentOptions {
  std::string rand_augment;  // "rand-m9-mstd0.5-inc1"; empty: none
  double color_jitter = 0;   // only without rand_augment, as in timm
  double erasing = 0;        // probability
  double mixup = 0;          // alpha of Beta(alpha, alpha); 0: off
  double cutmix = 0;         // alpha of Beta(alpha, alpha); 0: off
  std::string mixup_mode = "batch";
  double mixup_prob = 1;
  double mixup_switch_prob = 0.5;
  double smoothing = 0;
  bool crop_once = false;

  bool mixes() const { return mixup > 0 || cutmix > 0; }

  template <class Visitor>
  void visit(Visitor& visitor) {
    visitor("rand_augment", rand_augment, config::OneOf{},
            "RandAugment in timm's notation: rand-m9-mstd0.5-inc1; empty: none");
    visitor("color_jitter", color_jitter, config::Range{0, 1},
            "strength of brightness, contrast and saturation changes, without rand_augment");
    visitor("erasing", erasing, config::Range{0, 1},
            "probability that a box of an image is replaced by noise");
    visitor("mixup", mixup, config::Range{0, 100}, "alpha of mixup's Beta; 0: off");
    visitor("cutmix", cutmix, config::Range{0, 100}, "alpha of cutmix's Beta; 0: off");
    visitor("mixup_mode", mixup_mode, config::OneOf{{"batch", "pair", "elem"}},
            "batch: one draw for the whole batch; pair: one per pair; elem: one per image");
    visitor("mixup_prob", mixup_prob, config::Range{0, 1}, "probability of mixup or cutmix");
    visitor("mixup_switch_prob", mixup_switch_prob, config::Range{0, 1},
            "probability of cutmix if both are on");
    visitor("smoothing", smoothing, config::Range{0, 0.99}, "label smoothing");
    visitor("crop_once", crop_once,
            "draw the crop once and clip it to the image, as published linear probes do; else draw "
            "up to ten crops until one fits");
  }
};

// Transform of images with class maps to crops: mmsegmentation's pipeline of ADE20K, as in the
// published segmentation runs. data.image_size is the crop, data.flip the flip, data.mean and
// data.deviation the normalisation; other DataOptions have no effect on pixels.
struct PipelineOptions {
  std::vector<int64_t> scale{2048, 512};      // upper bounds of the longer and the shorter side
  std::vector<double> ratio_range{0.5, 2.0};  // factors of the scale, in training
  double cat_max_ratio = 0.75;
  bool photometric = true;
  bool reduce_zero_label = true;

  template <class Visitor>
  void visit(Visitor& visitor) {
    visitor("scale", scale, config::Range{1, 65536, 2},
            "bounds of the longer and the shorter side; an image is resized as large as fits, "
            "keeping its aspect ratio");
    visitor("ratio_range", ratio_range, config::Range{1e-3, 1e3, 2},
            "training: the scale is multiplied by a random factor in this range");
    visitor("cat_max_ratio", cat_max_ratio, config::Range{0, 1},
            "a crop that shows only one class, or in which one class covers at least this share of "
            "the labelled pixels, is drawn again, up to ten times; 1: never");
    visitor("photometric", photometric, "random brightness, contrast, saturation and hue");
    visitor("reduce_zero_label", reduce_zero_label,
            "0 in maps means unlabelled, and classes count from 1");
  }
};

// Transform of images with objects to square frames: large-scale jitter, as in the published
// detectors (frame.h). data.image_size is the frame, data.flip the flip, data.mean and
// data.deviation the normalisation; other DataOptions have no effect on pixels.
struct JitterOptions {
  std::vector<double> scale_range{0.1, 2.0};
  int64_t pad = 128;

  template <class Visitor>
  void visit(Visitor& visitor) {
    visitor("scale_range", scale_range, config::Range{1e-3, 1e3, 2},
            "training: an image's longer side becomes the frame's side times a random factor in "
            "this range");
    visitor("pad", pad, config::Range{0, 255},
            "byte value of the frame's padding, right and below, before normalisation");
  }
};

}  // namespace fcm::loader
