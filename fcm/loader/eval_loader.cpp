#include <cstring>

#include "fcm/base/error.h"
#include "fcm/loader/bad_image_limits.h"
#include "fcm/loader/loader.h"
#include "fcm/loader/prefetcher.h"
#include "fcm/loader/transform.h"

namespace fcm::loader {
namespace {

// Removes unreadable images: an evaluation must not use substitutes.
void remove_bad(Batch& batch) {
  if (batch.bad.empty()) return;
  const auto bytes = static_cast<size_t>(batch.rows * batch.cols * batch.channels);
  std::vector<int64_t> kept;
  size_t reported = 0;
  for (size_t i = 0; i < batch.sample_ids.size(); ++i) {
    if (reported < batch.bad.size() && batch.bad[reported].sample == batch.sample_ids[i]) {
      ++reported;
      continue;
    }
    std::memmove(batch.pixels_BHWC.data() + kept.size() * bytes,
                 batch.pixels_BHWC.data() + i * bytes, bytes);
    batch.sample_ids[kept.size()] = batch.sample_ids[i];
    kept.push_back(static_cast<int64_t>(i));
  }
  batch.batch = batch.global_batch = std::ssize(kept);
  batch.sample_ids.resize(kept.size());
  batch.targets.keep(kept);
  batch.pixels_BHWC.resize(kept.size() * bytes);
}

EvalLoaderRequest checked(EvalLoaderRequest request) {
  require(request.crop_share > 0 && request.crop_share <= 1,
          "EvalLoader: expected crop_share above 0 and at most 1, got {}", request.crop_share);
  require(request.batch_size > 0, "EvalLoader: expected batch_size of 1 or more, got {}",
          request.batch_size);
  require(request.targets != TargetKind::kMap && request.targets != TargetKind::kInstances,
          "EvalLoader: class maps and instances are not cropped with the image; use for_each_scene "
          "or for_each_frame");
  check_options(request.data);
  return request;
}

}  // namespace

class EvalLoader::Impl {
 public:
  explicit Impl(EvalLoaderRequest request)
      : request_(checked(std::move(request))),
        part_(request_.slice.of(request_.dataset->size())),
        limits_(request_.data, part_.size()) {
    prefetcher_.emplace(BatchWork{[this](int64_t step) { return prepare(step); },
                                  [this](Batch& batch, int64_t i) { return fill(batch, i); }},
                        request_.threads, 0,
                        (part_.size() + request_.batch_size - 1) / request_.batch_size);
  }

  bool next(Batch& batch) {
    std::vector<BadSample> bad;  // of batches without a readable image
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
    const int64_t begin = part_.begin + step * request_.batch_size;
    batch.batch = batch.global_batch = std::min(request_.batch_size, part_.end - begin);
    batch.rows = request_.data.image_size[0];
    batch.cols = request_.data.image_size[1];
    batch.channels = request_.data.channels;
    for (int64_t i = 0; i < batch.batch; ++i) batch.sample_ids.push_back(begin + i);
    batch.targets = Targets(request_.targets, batch.batch);
    batch.pixels_BHWC.resize(
        static_cast<size_t>(batch.batch * batch.rows * batch.cols * batch.channels));
    return batch;
  }

  std::optional<BadSample> fill(Batch& batch, int64_t i) const {
    const int64_t index = batch.sample_ids[static_cast<size_t>(i)];
    const int64_t bytes = batch.rows * batch.cols * batch.channels;
    try {
      Sample sample = request_.dataset->sample(index, request_.data.channels, request_.targets);
      crop_for_evaluation(std::move(sample.image), request_.data,
                          batch.pixels_BHWC.data() + i * bytes, request_.crop_share);
      batch.targets.set(i, sample.target);
    } catch (const Error& error) {
      if (error.code() != ExitCode::kData) throw;
      return BadSample{index, -1, error.what()};
    }
    return std::nullopt;
  }

  const EvalLoaderRequest request_;
  const Range part_;  // of the data set
  BadImageLimits limits_;
  std::optional<Prefetcher> prefetcher_;  // last: its threads use all of the above
};

EvalLoader::EvalLoader(EvalLoaderRequest request)
    : impl_(std::make_unique<Impl>(std::move(request))) {}
EvalLoader::~EvalLoader() = default;
bool EvalLoader::next(Batch& batch) { return impl_->next(batch); }

}  // namespace fcm::loader
