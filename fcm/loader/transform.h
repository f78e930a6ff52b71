// Transforms of one image: from its decoded pixels to the bytes of a batch.
#pragma once

#include <cstdint>

#include "fcm/loader/dataset.h"
#include "fcm/loader/loader.h"
#include "fcm/loader/options.h"

namespace fcm::loader {

// Throws Error(kUsage) for options that the transforms cannot use: sizes, channels, crop ranges,
// padding and interpolation.
void check_options(const DataOptions& options);

image::Interpolation interpolation_of(const DataOptions& options);

// Whether one sample is mirrored.
bool draw_mirror(const DataOptions& options, uint64_t seed, uint64_t epoch, uint64_t sample);

// Box and mirroring of one sample in upstream's linear probes (util/crop.py of MAE and ConvMAE):
// drawn like random_crop (loader.h), but only once; sides that exceed the image are clipped.
Crop cut_crop(int64_t rows, int64_t cols, const DataOptions& options, uint64_t seed, uint64_t epoch,
              uint64_t sample);

// Both functions pad the image and write image_size[0] x image_size[1] x channels bytes to `out`.
// Training applies the sample's random crop (cut_crop if `once`, else random_crop) and flip.
// Evaluation resizes the image until it just covers the target size divided by `crop_share`
// (rounded down, as upstream's crop_pct), then takes the central crop.
void crop_for_training(image::Image image, const DataOptions& options, uint64_t seed,
                       uint64_t epoch, uint64_t sample, uint8_t* out, bool once = false);
void crop_for_evaluation(image::Image image, const DataOptions& options, uint8_t* out,
                         double crop_share = 1);

// Writes the same bytes as crop_for_training for image `source`, but decodes only the crop. With
// padding the whole image is decoded, because the crop is drawn in the padded image.
void read_for_training(const Dataset& dataset, int64_t source, const DataOptions& options,
                       uint64_t seed, uint64_t epoch, uint64_t sample, uint8_t* out,
                       bool once = false);

}  // namespace fcm::loader
