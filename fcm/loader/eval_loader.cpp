#include <cstring>

#include "fcm/base/error.h"
#include "fcm/loader/bad_limits.h"
#include "fcm/loader/loader.h"
#include "fcm/loader/prefetcher.h"
#include "fcm/loader/transform.h"

namespace fcm::loader {
namespace {

// Takes the unreadable pictures out: a result must not be computed from invented pixels.
void remove_bad(Batch& batch) {
  if (batch.bad.empty()) return;
  const auto bytes = static_cast<size_t>(batch.rows * batch.cols * batch.channels);
  size_t kept = 0, reported = 0;
  for (size_t i = 0; i < batch.sample_ids.size(); ++i) {
    if (reported < batch.bad.size() && batch.bad[reported].sample == batch.sample_ids[i]) {
      ++reported;
      continue;
    }
    std::memmove(batch.pixels_BHWC.data() + kept * bytes, batch.pixels_BHWC.data() + i * bytes,
                 bytes);
    batch.sample_ids[kept] = batch.sample_ids[i];
    batch.labels[kept] = batch.labels[i];
    ++kept;
  }
  batch.batch = static_cast<int64_t>(kept);
  batch.sample_ids.resize(kept);
  batch.labels.resize(kept);
  batch.pixels_BHWC.resize(kept * bytes);
}

}  // namespace

class EvalLoader::Impl {
 public:
  Impl(std::shared_ptr<const Dataset> dataset, const DataOptions& options, int64_t batch_size,
       int64_t first, int64_t count, int64_t threads, double crop_share)
      : dataset_(std::move(dataset)),
        options_(options),
        crop_share_(crop_share),
        batch_size_(batch_size),
        first_(first),
        count_(count),
        limits_(options, count) {
    require(crop_share > 0 && crop_share <= 1, "EvalLoader: crop_share {}", crop_share);
    require(batch_size > 0 && first >= 0 && count >= 0 && first + count <= dataset_->size(),
            "EvalLoader: {} pictures from {} of {} in batches of {}", count, first,
            dataset_->size(), batch_size);
    check_options(options_);
    prefetcher_.emplace(BatchWork{[this](int64_t step) { return prepare(step); },
                                  [this](Batch& batch, int64_t i) { return fill(batch, i); }},
                        threads, 0, (count + batch_size - 1) / batch_size);
  }

  bool next(Batch& batch) {
    std::vector<BadSample> bad;  // of batches of which nothing was left
    while (auto got = prefetcher_->next()) {
      limits_.count(*got);
      remove_bad(*got);
      got->bad.insert(got->bad.begin(), bad.begin(), bad.end());
      batch = std::move(*got);
      if (batch.batch > 0) return true;
      bad = batch.bad;
    }
    batch = {};
    batch.bad = std::move(bad);
    return false;
  }

 private:
  Batch prepare(int64_t step) const {
    Batch batch;
    const int64_t begin = step * batch_size_;
    batch.batch = std::min(batch_size_, count_ - begin);
    batch.rows = options_.image_size[0];
    batch.cols = options_.image_size[1];
    batch.channels = options_.channels;
    for (int64_t i = 0; i < batch.batch; ++i) batch.sample_ids.push_back(first_ + begin + i);
    batch.labels.resize(batch.sample_ids.size());
    batch.pixels_BHWC.resize(
        static_cast<size_t>(batch.batch * batch.rows * batch.cols * batch.channels));
    return batch;
  }

  std::optional<BadSample> fill(Batch& batch, int64_t i) const {
    const int64_t sample = batch.sample_ids[static_cast<size_t>(i)];
    const int64_t bytes = batch.rows * batch.cols * batch.channels;
    try {
      view_for_evaluation(dataset_->get(sample, options_.channels), options_,
                          batch.pixels_BHWC.data() + i * bytes, crop_share_);
    } catch (const Error& error) {
      if (error.code() != ExitCode::kData) throw;
      return BadSample{sample, -1, error.what()};
    }
    batch.labels[static_cast<size_t>(i)] = dataset_->label(sample);
    return std::nullopt;
  }

  const std::shared_ptr<const Dataset> dataset_;
  const DataOptions options_;
  const double crop_share_;
  const int64_t batch_size_;
  const int64_t first_;
  const int64_t count_;
  BadLimits limits_;
  std::optional<Prefetcher> prefetcher_;  // last: its threads use all of the above
};

EvalLoader::EvalLoader(std::shared_ptr<const Dataset> dataset, const DataOptions& options,
                       int64_t batch_size, int64_t first, int64_t count, int64_t threads,
                       double crop_share)
    : impl_(std::make_unique<Impl>(std::move(dataset), options, batch_size, first, count, threads,
                                   crop_share)) {}
EvalLoader::~EvalLoader() = default;
bool EvalLoader::next(Batch& batch) { return impl_->next(batch); }

}  // namespace fcm::loader
