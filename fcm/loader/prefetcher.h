// Prepares the batches of the next few steps on worker threads and returns them in order.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "fcm/loader/loader.h"

namespace fcm::loader {

// The work of the threads. `prepare` runs on one thread at a time, `fill` on several, once for each
// image; both run concurrently. If one throws, the call of next() for that step rethrows the
// exception.
struct BatchWork {
  // The batch of a step, complete except for pixels and targets.
  std::function<Batch(int64_t step)> prepare;
  // Writes image and target number i; returns a BadSample if the image was bad.
  std::function<std::optional<BadSample>(Batch& batch, int64_t i)> fill;
};

class Prefetcher {
 public:
  // Steps first_step .. end_step - 1.
  Prefetcher(BatchWork work, int64_t threads, int64_t first_step, int64_t end_step);
  ~Prefetcher();  // waits for the images in progress, not for whole batches
  Prefetcher(const Prefetcher&) = delete;
  Prefetcher& operator=(const Prefetcher&) = delete;

  // The next step's batch, its bad samples in batch order; nullopt after the last step.
  std::optional<Batch> next();

 private:
  static constexpr size_t kAhead = 3;  // batches in flight, besides the one in use

  struct Slot {
    Batch batch;
    int64_t taken = 0;  // images assigned to threads so far
    int64_t done = 0;
    std::vector<std::pair<int64_t, BadSample>> bad;  // with the index in the batch
    std::exception_ptr error;
    int64_t error_index = 0;  // index; the smallest wins, so that thread timing does not matter
  };
  struct Range {
    int64_t begin = 0;
    int64_t end = 0;
    std::vector<std::pair<int64_t, BadSample>> bad;
    std::exception_ptr error;
    double seconds = 0;
  };

  Slot& slot(int64_t step) { return ring_[static_cast<size_t>(step) % kAhead]; }
  void run();
  bool take_images(std::unique_lock<std::mutex>& lock);
  bool open_step(std::unique_lock<std::mutex>& lock);
  void fill(Batch& batch, Range& range);

  const BatchWork work_;
  const int64_t threads_count_;
  const int64_t end_step_;

  std::mutex mutex_;  // guards everything below; images are filled without it
  std::condition_variable work_available_;
  std::condition_variable batch_ready_;
  std::array<Slot, kAhead> ring_;
  int64_t next_step_;    // the step that next() returns
  int64_t opened_step_;  // the next step to get a slot
  bool opening_ = false;
  std::atomic<bool> stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace fcm::loader
