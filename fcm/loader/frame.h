// Pictures with their objects in square frames, as detectors are trained and tested on them: large
// scale jitter, with detectron2's bits. Published: detectron2 data/transforms (ResizeScale,
// FixedSizeCrop, RandomFlip), data/detection_utils; fvcore's CropTransform. Draws are keyed, or
// given.
#pragma once

#include <algorithm>
#include <cstdint>

#include "fcm/loader/dataset.h"
#include "fcm/loader/loader.h"
#include "fcm/loader/options.h"

namespace fcm::loader {

struct FrameOptions {
  DataOptions data;  // image_size is the frame
  JitterOptions jitter;

  int64_t side() const { return data.image_size[0]; }
};

// Refuses options that contradict each other (Error(kUsage)).
void check_frame_options(const FrameOptions& options);

// The random numbers of one picture.
struct FrameDraws {
  double scale = 1;     // 1: the longer side is the frame's
  double place = 0;     // 0 to 1: of the frame in a picture that is larger, down and across alike
  bool mirror = false;  // the frame, padding included
};
// A function of (seed, epoch, sample) alone.
FrameDraws draw_frame(const FrameOptions& options, uint64_t seed, uint64_t epoch, uint64_t sample);

// Where a picture lies in its frame: resized; shown from (top, left) on, at most as much as fits;
// the rest of the frame, right and below, is padding; then all of it is mirrored or not.
struct FramePlace {
  int64_t side = 0;  // of the frame
  Extent picture;    // before
  Extent resized;
  int64_t top = 0, left = 0;
  bool mirror = false;

  Extent shown() const {
    return {std::min(resized.rows - top, side), std::min(resized.cols - left, side)};
  }
};
FramePlace place_for_training(Extent picture, int64_t side, const FrameDraws& draws);
// The longer side as long as the frame.
FramePlace place_for_testing(Extent picture, int64_t side);

// The picture's objects as they are in the frame: crowds left out; outlines scaled, clipped,
// shifted and mirrored, masks as bitmaps (0 in the padding); boxes around what remains, in fp32.
// Objects of which nothing remains, or of a width or height of at most 1e-5, are left out; `area`
// stays what the data say.
Instances instances_in_frame(const Instances& whole, const FramePlace& place);

// Picture number `source` and its objects in the frame: writes side x side x 3 bytes to `pixels`.
// `truth` may have no instance. Only what the frame shows is resized, and of a JPEG decoded: damage
// below is not noticed. Throws Error(kData), also where the picture has not the recorded size.
void read_frame_for_training(const Dataset& dataset, int64_t source, const FrameOptions& options,
                             const FrameDraws& draws, uint8_t* pixels, Instances& truth);

}  // namespace fcm::loader
