// From a decoded picture to the bytes of a batch.
#pragma once

#include <cstdint>

#include "fcm/loader/dataset.h"
#include "fcm/loader/loader.h"
#include "fcm/loader/options.h"

namespace fcm::loader {

// Refuses options that contradict each other (Error(kUsage)); ranges of single keys are checked
// where they are read.
void check_options(const DataOptions& options);

image::Interpolation interpolation_of(const DataOptions& options);

// Whether one sample is mirrored.
bool draw_mirror(const DataOptions& options, uint64_t seed, uint64_t epoch, uint64_t sample);

// Box and mirroring of one sample in the published linear probes (util/crop.py of MAE and ConvMAE):
// drawn as random_crop draws (loader.h), but once, and sides longer than the picture's are cut.
Crop cut_crop(int64_t rows, int64_t cols, const DataOptions& options, uint64_t seed, uint64_t epoch,
              uint64_t sample);

// All write image_size[0] x image_size[1] x channels bytes to `out`, after padding the picture.
// Training: the sample's random crop (`once`: cut_crop) and flip. Evaluation: resized so that it
// just covers the target divided by `crop_share` (rounded down, as the published crop_pct), then
// the central crop.
void view_for_training(image::Image picture, const DataOptions& options, uint64_t seed,
                       uint64_t epoch, uint64_t sample, uint8_t* out, bool once = false);
void view_for_evaluation(image::Image picture, const DataOptions& options, uint8_t* out,
                         double crop_share = 1);

// The same bytes as view_for_training of picture number `source`, of which only the crop is decoded
// (not where it is padded: the crop is then drawn in the padded picture).
void read_for_training(const Dataset& dataset, int64_t source, const DataOptions& options,
                       uint64_t seed, uint64_t epoch, uint64_t sample, uint8_t* out,
                       bool once = false);

}  // namespace fcm::loader
