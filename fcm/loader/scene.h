// An image with its class map, transformed for training segmentation: resized by a random factor,
// cropped where the map shows enough classes, mirrored, distorted, padded. Bit-identical to
// mmsegmentation's pipeline of ADE20K for the same random numbers (SceneDraws).
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "fcm/loader/dataset.h"
#include "fcm/loader/distortion.h"
#include "fcm/loader/loader.h"
#include "fcm/loader/options.h"

namespace fcm::loader {

struct SceneOptions {
  DataOptions data;
  PipelineOptions pipeline;
  int64_t classes = 0;  // number of the network's classes, 1 to 255
};

// Throws Error(kUsage) for options that contradict each other.
void check_scene_options(const SceneOptions& options);

// The largest size with the image's aspect ratio whose longer and shorter side fit into those of
// `scale` (in either order); at least one pixel per side.
Extent fitted_size(Extent image, std::span<const int64_t> scale);
// fitted_size for the pipeline's scale times `ratio`.
Extent training_size(Extent image, const PipelineOptions& pipeline, double ratio);

// Whether a crop shows at least two classes, and none of them covers `cat_max_ratio` or more of the
// pixels that are not kIgnored.
bool shows_enough(std::span<const uint8_t> classes, double cat_max_ratio);

// The random draws of one image.
struct SceneDraws {
  double ratio = 1;  // factor of the scale
  // Draws 0 to `most` (inclusive): called for top and left of each crop that is tried.
  std::function<int64_t(int64_t most)> draw_offset;
  bool mirror = false;
  Distortion distortion;
};
// Draws are keyed by (seed, epoch, sample).
SceneDraws draw_scene(const SceneOptions& options, uint64_t seed, uint64_t epoch, uint64_t sample);

// The class map of the i-th image in network classes, after reduce_classes. Throws Error(kData)
// that names image and value if a value is not a class.
ClassMap read_classes(const Dataset& dataset, int64_t index, const SceneOptions& options);
// Converts a map from the values of its file to network classes, in place, by
// pipeline.reduce_zero_label; `name` is the image's name for messages.
void reduce_classes(ClassMap& map, const SceneOptions& options, const std::string& name);

// Throws Error(kData) if a map does not have its image's size.
void check_size_of_map(const ClassMap& map, int64_t rows, int64_t cols, const std::string& name);

// Reads image `source`: writes image_size[0] x image_size[1] x 3 bytes to `pixels` and the classes
// to `map`. Returns the size of the image in the upper left; the rest is black, and kIgnored in the
// map. Only what the crop needs is resized and (of a JPEG) decoded, so damage below the crop goes
// unnoticed.
Extent read_scene_for_training(const Dataset& dataset, int64_t source, const SceneOptions& options,
                               const SceneDraws& draws, uint8_t* pixels, ClassMap& map);

}  // namespace fcm::loader
