// Images with their objects in square frames, for training and testing detectors: large-scale
// jitter, bit-identical to detectron2 for the same random numbers. Source: detectron2
// data/transforms (ResizeScale, FixedSizeCrop, RandomFlip), data/detection_utils; fvcore's
// CropTransform.
#pragma once

#include <algorithm>
#include <cstdint>

#include "fcm/loader/dataset.h"
#include "fcm/loader/loader.h"
#include "fcm/loader/options.h"

namespace fcm::loader {

struct FrameOptions {
  DataOptions data;  // image_size is the frame's size
  JitterOptions jitter;

  int64_t side() const { return data.image_size[0]; }
};

// Throws Error(kUsage) for options that contradict each other.
void check_frame_options(const FrameOptions& options);

// The random draws of one image.
struct FrameDraws {
  double scale = 1;         // 1: the longer side fits the frame
  double offset_share = 0;  // 0 to 1: offset of the crop as a share of the excess, on both axes
  bool mirror = false;      // mirrors the frame, padding included
};
// Draws are keyed by (seed, epoch, sample).
FrameDraws draw_frame(const FrameOptions& options, uint64_t seed, uint64_t epoch, uint64_t sample);

// How an image is placed in its frame. The image is resized, and a crop that begins at (top, left)
// is copied to the frame's upper left. The rest of the frame, right and below, is padding. Finally
// the frame is mirrored, padding included, if `mirror` is set.
struct FrameLayout {
  int64_t side = 0;  // of the frame, in pixels
  Extent image;      // original size
  Extent resized;
  int64_t top = 0, left = 0;
  bool mirror = false;

  Extent shown() const {  // size of the crop
    return {std::min(resized.rows - top, side), std::min(resized.cols - left, side)};
  }
};
FrameLayout layout_for_training(Extent image, int64_t side, const FrameDraws& draws);
// The longer side is resized to the frame's side; no crop.
FrameLayout layout_for_testing(Extent image, int64_t side);

// The image's objects in frame coordinates: polygons scaled, clipped, shifted and mirrored, masks
// transformed as bitmaps (0 in the padding), boxes (fp32) recomputed from the transformed shape.
// Drops crowds, objects outside the frame, and objects whose width or height in the frame is at
// most 1e-5 pixels. `area` keeps the value that the data set recorded.
Instances instances_in_frame(const Instances& whole, const FrameLayout& layout);

// Reads image `source` and its objects into the frame: writes side x side x 3 bytes to `pixels`,
// and to `truth` the objects that remain, possibly none. Only the part that the frame shows is
// resized and (of a JPEG) decoded, so damage below it goes unnoticed. Throws Error(kData) if the
// image is unreadable or does not have the recorded size.
void read_frame_for_training(const Dataset& dataset, int64_t source, const FrameOptions& options,
                             const FrameDraws& draws, uint8_t* pixels, Instances& truth);

}  // namespace fcm::loader
