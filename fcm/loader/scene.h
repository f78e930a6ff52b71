// A picture with its map of classes, as segmentation is trained on it: resized by a random factor,
// cropped where the map shows enough, mirrored, distorted, padded. mmsegmentation's pipeline of
// ADE20K to the bit; draws are keyed, or given.
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
  int64_t classes = 0;  // of the network; 1 to 255
};

// Refuses options that contradict each other (Error(kUsage)).
void check_scene_options(const SceneOptions& options);

// The largest size of the picture's shape whose longer and shorter side fit into those of `scale`
// (in either order). At least one pixel each way.
Extent fitted_size(Extent picture, std::span<const int64_t> scale);
// Into the scale times `ratio`.
Extent training_size(Extent picture, const PipelineOptions& pipeline, double ratio);

// Whether a crop shows two classes or more, none of which has `cat_max_ratio` or more of the pixels
// that are not kIgnored.
bool shows_enough(std::span<const uint8_t> classes, double cat_max_ratio);

// The random numbers of one picture.
struct SceneDraws {
  double ratio = 1;  // of the scale
  // 0 to `most`: asked for the top and the left of a crop, and again for each further one.
  std::function<int64_t(int64_t most)> place;
  bool mirror = false;
  Distortion distortion;
};
// A function of (seed, epoch, sample) alone.
SceneDraws draw_scene(const SceneOptions& options, uint64_t seed, uint64_t epoch, uint64_t sample);

// The map of the set's i-th picture as classes of a network, the zero label reduced. Throws
// Error(kData) that names picture and value where a value is no class.
ClassMap read_classes(const Dataset& dataset, int64_t index, const SceneOptions& options);
// Of whatever is called `name`.
void reduce_classes(ClassMap& map, const SceneOptions& options, const std::string& name);

// Error(kData) where a map is not of its picture's size.
void check_size_of_map(const ClassMap& map, int64_t rows, int64_t cols, const std::string& name);

// Picture number `source`: writes image_size[0] x image_size[1] x 3 bytes to `pixels`, and as many
// classes to `map`; returns how much of the upper left is picture. The rest is black, and kIgnored.
// Only what the crop needs is resized, and of a JPEG decoded: damage below is not noticed.
Extent read_scene_for_training(const Dataset& dataset, int64_t source, const SceneOptions& options,
                               const SceneDraws& draws, uint8_t* pixels, ClassMap& map);

}  // namespace fcm::loader
