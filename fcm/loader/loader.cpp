#include "fcm/loader/loader.h"

#include <limits>

#include "fcm/base/error.h"
#include "fcm/base/random.h"
#include "fcm/loader/augment.h"
#include "fcm/loader/bad_limits.h"
#include "fcm/loader/prefetcher.h"
#include "fcm/loader/transform.h"

namespace fcm::loader {
namespace {

// Substitutes tried for one bad picture. If all of them are bad too, the set is broken.
constexpr int kMostSubstitutes = 20;

int64_t checked_batch_size(const Dataset& dataset, int64_t batch_size) {
  require(batch_size > 0, "Loader: batch size {}", batch_size);
  if (dataset.size() < batch_size) {
    fail(ExitCode::kData,
         "the data hold {} pictures, fewer than one batch of {}; lower optim.batch_size to at most "
         "{}",
         dataset.size(), batch_size, dataset.size());
  }
  return batch_size;
}

}  // namespace

std::vector<int64_t> samples_of_step(int64_t dataset_size, int64_t batch_size, uint64_t seed,
                                     int64_t step) {
  require(batch_size > 0 && batch_size <= dataset_size && step >= 0,
          "samples_of_step: step {} of batches of {} from {}", step, batch_size, dataset_size);
  const int64_t steps = dataset_size / batch_size;
  const KeyedPermutation order(static_cast<uint64_t>(dataset_size), seed, Purpose::kOrder,
                               static_cast<uint64_t>(step / steps));
  std::vector<int64_t> samples(static_cast<size_t>(batch_size));
  uint64_t place = static_cast<uint64_t>(step % steps * batch_size);
  for (int64_t& sample : samples) sample = static_cast<int64_t>(order(place++));
  return samples;
}

class Loader::Impl {
 public:
  Impl(std::shared_ptr<const Dataset> dataset, const DataOptions& options, int64_t batch_size,
       uint64_t seed, int64_t threads, int64_t first_step, const AugmentOptions& augment)
      : dataset_(std::move(dataset)),
        options_(options),
        augmenter_(options, augment),
        crop_once_(augment.crop_once),
        batch_size_(checked_batch_size(*dataset_, batch_size)),
        seed_(seed),
        limits_(options, steps_per_epoch() * batch_size) {
    check_options(options_);
    prefetcher_.emplace(BatchWork{[this](int64_t step) { return prepare(step); },
                                  [this](Batch& batch, int64_t i) { return fill(batch, i); }},
                        threads, first_step, std::numeric_limits<int64_t>::max());
  }

  Batch next() {
    Batch batch = prefetcher_->next().value();
    for (const BadSample& bad : batch.bad) {
      if (bad.substitute >= 0) continue;
      fail(ExitCode::kData, "{} cannot be read, nor can {} others drawn to stand in for it: {}",
           dataset_->name(bad.sample), kMostSubstitutes, bad.reason);
    }
    limits_.count(batch);
    return batch;
  }

  int64_t steps_per_epoch() const { return dataset_->size() / batch_size_; }

 private:
  Batch prepare(int64_t step) const {
    Batch batch;
    batch.batch = batch_size_;
    batch.rows = options_.image_size[0];
    batch.cols = options_.image_size[1];
    batch.channels = options_.channels;
    batch.epoch = step / steps_per_epoch();
    batch.sample_ids = samples_of_step(dataset_->size(), batch_size_, seed_, step);
    batch.labels.resize(batch.sample_ids.size());
    batch.pixels_BHWC.resize(
        static_cast<size_t>(batch.batch * batch.rows * batch.cols * batch.channels));
    return batch;
  }

  // Picture `source` in the place of sample number i, with that sample's crop.
  void place(Batch& batch, int64_t i, int64_t source) const {
    const auto at = static_cast<size_t>(i);
    const int64_t bytes = batch.rows * batch.cols * batch.channels;
    const auto epoch = static_cast<uint64_t>(batch.epoch);
    const auto sample = static_cast<uint64_t>(batch.sample_ids[at]);
    uint8_t* const pixels = batch.pixels_BHWC.data() + i * bytes;
    read_for_training(*dataset_, source, options_, seed_, epoch, sample, pixels, crop_once_);
    augmenter_.apply(pixels, seed_, epoch, sample);
    batch.labels[at] = dataset_->label(source);
  }

  // The reason why the picture cannot be read; none if it was placed.
  std::optional<std::string> try_place(Batch& batch, int64_t i, int64_t source) const {
    try {
      place(batch, i, source);
      return std::nullopt;
    } catch (const Error& error) {
      if (error.code() != ExitCode::kData) throw;
      return error.what();
    }
  }

  std::optional<BadSample> fill(Batch& batch, int64_t i) const {
    const int64_t sample = batch.sample_ids[static_cast<size_t>(i)];
    const auto reason = try_place(batch, i, sample);
    if (!reason) return std::nullopt;
    KeyedRandom random(seed_, Purpose::kSubstitute, static_cast<uint64_t>(batch.epoch),
                       static_cast<uint64_t>(sample));
    for (int attempt = 0; attempt < kMostSubstitutes; ++attempt) {
      const auto substitute =
          static_cast<int64_t>(random.below(static_cast<uint64_t>(dataset_->size())));
      if (!try_place(batch, i, substitute)) return BadSample{sample, substitute, *reason};
    }
    return BadSample{sample, -1, *reason};
  }

  const std::shared_ptr<const Dataset> dataset_;
  const DataOptions options_;
  const Augmenter augmenter_;
  const bool crop_once_;
  const int64_t batch_size_;
  const uint64_t seed_;
  BadLimits limits_;
  std::optional<Prefetcher> prefetcher_;  // last: its threads use all of the above
};

Loader::Loader(std::shared_ptr<const Dataset> dataset, const DataOptions& options,
               int64_t batch_size, uint64_t seed, int64_t threads, int64_t first_step,
               const AugmentOptions& augment)
    : impl_(std::make_unique<Impl>(std::move(dataset), options, batch_size, seed, threads,
                                   first_step, augment)) {}
Loader::~Loader() = default;
Batch Loader::next() { return impl_->next(); }
int64_t Loader::steps_per_epoch() const { return impl_->steps_per_epoch(); }

}  // namespace fcm::loader
