// Shared by the loader's tests: a data set whose images or labels can be made unreadable.
#pragma once

#include <atomic>
#include <chrono>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "fcm/loader/loader.h"
#include "tests/image/support.h"
#include "tests/support/scratch.h"

namespace fcm::test {

// Images of different sizes whose pixels encode their index; images in `bad` cannot be read.
class FakeDataset final : public loader::Dataset {
 public:
  explicit FakeDataset(int64_t size, std::set<int64_t> bad = {}) : size_(size), bad_(bad) {}

  int64_t size() const override { return size_; }
  int64_t label(int64_t index) const override {
    labels_read++;
    if (bad_labels.contains(index)) fail(ExitCode::kData, "{}: no label", name(index));
    return 1000 + index;
  }
  const std::vector<std::string>& classes() const override { return classes_; }
  std::string name(int64_t index) const override { return fmt::format("fake {}", index); }
  image::Image get(int64_t index, int64_t channels) const override {
    reads++;
    if (delay.count() > 0) std::this_thread::sleep_for(delay);
    if (index == breaks) throw std::runtime_error("not a matter of data");
    if (bad_.contains(index)) fail(ExitCode::kData, "{}: damaged", name(index));
    return pattern(20 + index % 7, 20 + index % 5, channels, static_cast<uint32_t>(index));
  }

  std::chrono::milliseconds delay{0};
  int64_t breaks = -1;  // this image throws an exception other than Error
  std::set<int64_t> bad_labels;
  mutable std::atomic<int64_t> reads{0}, labels_read{0};

 private:
  int64_t size_;
  std::set<int64_t> bad_;
  std::vector<std::string> classes_;
};

// A request for batches with labels.
inline loader::LoaderRequest labelled(std::shared_ptr<const loader::Dataset> dataset,
                                      const loader::DataOptions& options, int64_t batch_size,
                                      uint64_t seed, int64_t threads, int64_t first_step) {
  return {.dataset = std::move(dataset),
          .data = options,
          .targets = loader::TargetKind::kLabel,
          .batch_size = batch_size,
          .seed = seed,
          .threads = threads,
          .first_step = first_step};
}

inline loader::DataOptions small_options(int64_t side = 16) {
  loader::DataOptions options;
  options.image_size = {side, side};
  return options;
}

}  // namespace fcm::test
