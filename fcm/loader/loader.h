// Training batches in a pseudo-random order that depends only on the seed, prefetched by threads.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/loader/dataset.h"
#include "fcm/loader/options.h"
#include "fcm/loader/slice.h"
#include "fcm/loader/target.h"

namespace fcm::loader {

// An image that could not be read, and its substitute.
struct BadSample {
  int64_t sample = 0;
  int64_t substitute = 0;  // -1: none
  std::string reason;      // names the image
};

struct Extent {
  int64_t rows = 0, cols = 0;
  bool operator==(const Extent&) const = default;
};

struct Batch {
  std::vector<uint8_t> pixels_BHWC;
  int64_t batch = 0, rows = 0, cols = 0, channels = 0;
  std::vector<int64_t> sample_ids;  // as chosen by the order, also where a substitute was read
  Targets targets;                  // where a substitute was read, those of the substitute
  // Scenes only: size of each image, in the upper left of its slot; the rest is padding.
  std::vector<Extent> extents;
  std::vector<BadSample> bad;
  int64_t epoch = 0;
  // For images with instances, whose order has no epochs (oriented_order.h): how often each sample
  // was taken before, which keys its draws together with its id. Otherwise empty, and `epoch` keys
  // all draws.
  std::vector<int64_t> sample_epochs;
  double decode_seconds = 0;  // summed over threads

  // This rank's images are [first, first + batch) of the global batch of `global_batch` images.
  int64_t first = 0, global_batch = 0;
  // The weight of `images` images in the mean over the global batch.
  double share_of(int64_t images) const {
    require(batch <= global_batch, "share_of: a batch of {} exceeds the global batch of {}", batch,
            global_batch);
    return static_cast<double>(images) / static_cast<double>(global_batch);
  }
};

// Crop box and mirroring of one sample, keyed by (seed, epoch, sample). As in torchvision's
// RandomResizedCrop.get_params, ten boxes are tried; if none fits, the crop is central and its
// ratio is clamped.
struct Crop {
  image::Box box;
  bool mirror = false;
};
Crop random_crop(int64_t rows, int64_t cols, const DataOptions& options, uint64_t seed,
                 uint64_t epoch, uint64_t sample);

struct LoaderRequest {
  std::shared_ptr<const Dataset> dataset;
  DataOptions data;
  TargetKind targets = TargetKind::kNone;
  int64_t batch_size = 0;  // global, over all ranks
  uint64_t seed = 0;
  int64_t threads = 1;
  int64_t first_step = 0;  // step of the run at which the loader starts, when resuming
  // The loader applies only the augmentations of bytes (rand_augment, color_jitter, crop_once);
  // float_pixels.h and mix.h apply the others.
  AugmentOptions augment = {};
  Slice slice = {};  // this process's part of each batch
  // If set: images with class maps of `classes` classes (scene.h). Requires `targets` kMap, which
  // only scenes use, and neither rand_augment nor color_jitter in `augment`.
  std::optional<PipelineOptions> pipeline = {};
  int64_t classes = 0;
  // If set: images with instances (frame.h), in the order of oriented_order.h. Requires `targets`
  // kInstances, and neither rand_augment nor color_jitter in `augment`.
  std::optional<JitterOptions> jitter = {};
};

// Training batches. The samples, crops and flips of a step depend only on (seed, step), not on
// threads, ranks or the step at which the loader started.
class Loader {
 public:
  // Throws Error(kUsage) for options that contradict each other or for more ranks than images in a
  // batch, and Error(kData) for a data set smaller than a batch.
  explicit Loader(LoaderRequest request);
  ~Loader();  // waits only for the images being decoded
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  // Waits for and returns the next step's batch. Throws Error(kData) if too many images are bad.
  // Each rank counts only its own slice, so the caller must make all ranks stop when one throws.
  Batch next();
  // Global batches per epoch; an incomplete last batch is dropped. For detection, only images with
  // an object count.
  int64_t steps_per_epoch() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// Sample ids of one step, or of a rank's slice of the step, from the epoch's keyed permutation.
std::vector<int64_t> samples_of_step(int64_t dataset_size, int64_t batch_size, uint64_t seed,
                                     int64_t step, const Slice& slice = {});

struct EvalLoaderRequest {
  std::shared_ptr<const Dataset> dataset;
  DataOptions data;
  // kNone or kLabel. For class maps use for_each_scene (scene_testing.h), for instances
  // for_each_frame (frame_testing.h).
  TargetKind targets = TargetKind::kNone;
  int64_t batch_size = 0;  // of this process
  int64_t threads = 1;
  double crop_share = 1;  // side of the crop over the shorter side of the resized image
  Slice slice = {};       // this process's part of the data set
};

// Images in index order without augmentation, for evaluation. An image is padded as in training,
// its shorter side is resized to the target size divided by `crop_share`, and the central crop is
// taken. The last batch may be shorter than `batch_size`, and a batch with unreadable images is.
// Upstream classifiers are evaluated with a crop_share of 224 / 256.
class EvalLoader {
 public:
  explicit EvalLoader(EvalLoaderRequest request);
  ~EvalLoader();
  bool next(Batch& batch);  // false at the end

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fcm::loader
