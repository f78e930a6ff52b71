// Batches in a keyed order, prepared ahead by threads.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "fcm/loader/dataset.h"
#include "fcm/loader/options.h"

namespace fcm::loader {

// A picture that could not be read and what stood in for it.
struct BadSample {
  int64_t sample = 0;
  int64_t substitute = 0;
  std::string reason;  // names the picture
};

struct Batch {
  std::vector<uint8_t> pixels_BHWC;
  int64_t batch = 0, rows = 0, cols = 0, channels = 0;
  std::vector<int64_t> sample_ids;  // the keyed order's choice, also where a substitute stands in
  std::vector<int64_t> labels;
  std::vector<BadSample> bad;
  int64_t epoch = 0;
  double decode_seconds = 0;  // of all threads
};

// Box and mirroring of one sample, a function of (seed, epoch, sample) alone. torchvision's
// RandomResizedCrop.get_params: ten tries, then the central crop with the ratio clamped.
struct Crop {
  image::Box box;
  bool mirror = false;
};
Crop random_crop(int64_t rows, int64_t cols, const DataOptions& options, uint64_t seed,
                 uint64_t epoch, uint64_t sample);

// Training batches. Which samples, crops and flips a step gets depends only on (seed, step): not on
// threads, and not on where the loader was started.
class Loader {
 public:
  // `first_step` counts from the start of the run: resuming starts the loader there. Of `augment`
  // the batches show what changes bytes (rand_augment, color_jitter); the rest is for whoever makes
  // numbers of them: float_pixels.h, mix.h.
  Loader(std::shared_ptr<const Dataset> dataset, const DataOptions& options, int64_t batch_size,
         uint64_t seed, int64_t threads, int64_t first_step, const AugmentOptions& augment = {});
  ~Loader();  // stops the threads at once
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  // The next step's batch; waits for it. Throws Error(kData) when too many pictures are bad.
  Batch next();
  int64_t steps_per_epoch() const;  // drop-last

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// Sample ids of one step, in order: positions of the epoch's keyed permutation.
std::vector<int64_t> samples_of_step(int64_t dataset_size, int64_t batch_size, uint64_t seed,
                                     int64_t step);

// Pictures in index order without augmentation, for evaluation: padded like training, shorter side
// resized to the target divided by `crop_share`, central crop. Fills batches of `batch_size`, the
// last one shorter. Published classifiers are measured with a share of 224 / 256.
class EvalLoader {
 public:
  EvalLoader(std::shared_ptr<const Dataset> dataset, const DataOptions& options, int64_t batch_size,
             int64_t first, int64_t count, int64_t threads, double crop_share = 1);
  ~EvalLoader();
  bool next(Batch& batch);  // false at the end

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fcm::loader
