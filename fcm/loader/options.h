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

// What fine-tuning does to pictures beside crop and flip. Names and meanings are timm's, as MAE's
// and ConvMAE's main_finetune.py use them; everything is off unless a recipe says otherwise.
struct AugmentOptions {
  std::string rand_augment;  // "rand-m9-mstd0.5-inc1"; empty: none
  double color_jitter = 0;   // only without rand_augment, as timm does
  double erasing = 0;        // probability
  double mixup = 0;          // alpha of Beta(alpha, alpha); 0: off
  double cutmix = 0;         // likewise
  std::string mixup_mode = "batch";
  double mixup_prob = 1;
  double mixup_switch_prob = 0.5;
  double smoothing = 0;
  bool crop_once = false;

  bool mixes() const { return mixup > 0 || cutmix > 0; }

  template <class Visitor>
  void visit(Visitor& visitor) {
    visitor("rand_augment", rand_augment, config::OneOf{},
            "RandAugment as timm writes it: rand-m9-mstd0.5-inc1; empty: none");
    visitor("color_jitter", color_jitter, config::Range{0, 1},
            "strength of brightness, contrast and saturation changes, without rand_augment");
    visitor("erasing", erasing, config::Range{0, 1},
            "probability that a box of a picture becomes noise");
    visitor("mixup", mixup, config::Range{0, 100}, "alpha of mixup's Beta; 0: off");
    visitor("cutmix", cutmix, config::Range{0, 100}, "alpha of cutmix's Beta; 0: off");
    visitor("mixup_mode", mixup_mode, config::OneOf{{"batch", "pair", "elem"}},
            "who shares a draw: the batch, two partners, nobody");
    visitor("mixup_prob", mixup_prob, config::Range{0, 1}, "probability of mixing at all");
    visitor("mixup_switch_prob", mixup_switch_prob, config::Range{0, 1},
            "probability of cutmix where both are on");
    visitor("smoothing", smoothing, config::Range{0, 0.99}, "of the labels");
    visitor("crop_once", crop_once,
            "the crop is drawn once and cut down to the picture, as the published linear probes "
            "do, not up to ten times until it fits");
  }
};

// From pictures with maps of classes to crops: mmsegmentation's pipeline of ADE20K, which the
// published segmentation runs use. data.image_size is the crop, data.flip the flip, data.mean and
// data.deviation the normalisation; nothing else of DataOptions changes pixels here.
struct PipelineOptions {
  std::vector<int64_t> scale{2048, 512};      // the longer and the shorter side may have at most
  std::vector<double> ratio_range{0.5, 2.0};  // of the scale, in training
  double cat_max_ratio = 0.75;
  bool photometric = true;
  bool reduce_zero_label = true;

  template <class Visitor>
  void visit(Visitor& visitor) {
    visitor("scale", scale, config::Range{1, 65536, 2},
            "a picture is resized, keeping its shape, so that its longer and shorter side just fit "
            "into these");
    visitor("ratio_range", ratio_range, config::Range{1e-3, 1e3, 2},
            "in training the scale times a number between these");
    visitor("cat_max_ratio", cat_max_ratio, config::Range{0, 1},
            "a crop in which one class has this share or more of the labelled pixels is drawn "
            "again, up to ten times; 1: never");
    visitor("photometric", photometric, "random brightness, contrast, saturation and hue");
    visitor("reduce_zero_label", reduce_zero_label,
            "maps have 0 where nothing is labelled, and their classes count from 1");
  }
};

// From pictures with objects to square frames: large scale jitter, as the published detectors are
// trained (frame.h). data.image_size is the frame, data.flip the flip, data.mean and data.deviation
// the normalisation; nothing else of DataOptions changes pixels here.
struct JitterOptions {
  std::vector<double> scale_range{0.1, 2.0};
  int64_t pad = 128;

  template <class Visitor>
  void visit(Visitor& visitor) {
    visitor("scale_range", scale_range, config::Range{1e-3, 1e3, 2},
            "in training a picture's longer side is the frame's times a number between these");
    visitor("pad", pad, config::Range{0, 255},
            "value of the bytes that fill the frame, right and below, before normalisation");
  }
};

}  // namespace fcm::loader
