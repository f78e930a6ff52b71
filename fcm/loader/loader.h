// Batches in a keyed order, prepared ahead by threads.
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

// A picture that could not be read and what stood in for it.
struct BadSample {
  int64_t sample = 0;
  int64_t substitute = 0;
  std::string reason;  // names the picture
};

struct Extent {
  int64_t rows = 0, cols = 0;
  bool operator==(const Extent&) const = default;
};

struct Batch {
  std::vector<uint8_t> pixels_BHWC;
  int64_t batch = 0, rows = 0, cols = 0, channels = 0;
  std::vector<int64_t> sample_ids;  // the keyed order's choice, also where a substitute stands in
  Targets targets;                  // of what is seen, where a substitute stands in
  std::vector<Extent> extents;      // of scenes: how much of the upper left is picture, not padding
  std::vector<BadSample> bad;
  int64_t epoch = 0;
  // Of pictures with instances, whose order has no epochs (oriented_order.h): how often each sample
  // was taken before, which with its id is the key of its draws. Empty: each is `epoch`.
  std::vector<int64_t> sample_epochs;
  double decode_seconds = 0;  // of all threads

  // These are the pictures from `first` on of the `global_batch` that all ranks take in this step.
  int64_t first = 0, global_batch = 0;
  // The weight of so many of them in the mean over all.
  double share_of(int64_t pictures) const {
    require(batch <= global_batch, "{} pictures of a batch of {}", batch, global_batch);
    return static_cast<double>(pictures) / static_cast<double>(global_batch);
  }
};

// Box and mirroring of one sample, a function of (seed, epoch, sample) alone. torchvision's
// RandomResizedCrop.get_params: ten tries, then the central crop with the ratio clamped.
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
  int64_t batch_size = 0;  // of all ranks together
  uint64_t seed = 0;
  int64_t threads = 1;
  int64_t first_step = 0;  // counts from the start of the run: resuming starts the loader there
  // The batches show what of it changes bytes (rand_augment, color_jitter); the rest is for whoever
  // makes numbers of them: float_pixels.h, mix.h.
  AugmentOptions augment = {};
  Slice slice = {};  // what this process prepares of each step's batch
  // Set: pictures with maps of so many classes (scene.h). Then `targets` is kMap, which is for
  // scenes alone, and nothing of `augment` changes bytes.
  std::optional<PipelineOptions> pipeline = {};
  int64_t classes = 0;
  // Set: pictures with instances (frame.h), in the order of oriented_order.h. Then `targets` is
  // kInstances, which is for these alone, and nothing of `augment` changes bytes.
  std::optional<JitterOptions> jitter = {};
};

// Training batches. Which samples, crops and flips a step gets depends only on (seed, step): not on
// threads or ranks, and not on where the loader was started.
class Loader {
 public:
  // Throws Error(kUsage) for options that contradict each other or more ranks than pictures in a
  // batch, Error(kData) for a set smaller than a batch.
  explicit Loader(LoaderRequest request);
  ~Loader();  // waits for the pictures being decoded, nothing more
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  // The next step's batch; waits for it. Throws Error(kData) when too many pictures are bad. Each
  // rank counts its own slice: that one of them gives up is for the ranks to agree on.
  Batch next();
  // Of the batches of all ranks; the last one is dropped if short. Where objects are learnt, only
  // pictures that have one count.
  int64_t steps_per_epoch() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// Sample ids of one step, or of a rank's slice of it, in order: positions of the epoch's keyed
// permutation.
std::vector<int64_t> samples_of_step(int64_t dataset_size, int64_t batch_size, uint64_t seed,
                                     int64_t step, const Slice& slice = {});

struct EvalLoaderRequest {
  std::shared_ptr<const Dataset> dataset;
  DataOptions data;
  // Not kMap nor kInstances: for_each_scene (scene_testing.h), for_each_frame (frame_testing.h).
  TargetKind targets = TargetKind::kNone;
  int64_t batch_size = 0;  // of this process
  int64_t threads = 1;
  double crop_share = 1;
  Slice slice = {};  // what this process measures of the data set
};

// Pictures in index order without augmentation, for evaluation: padded like training, shorter side
// resized to the target divided by `crop_share`, central crop. Fills batches of `batch_size`, the
// last one shorter. Published classifiers are measured with a share of 224 / 256.
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
