#include "fcm/loader/prefetcher.h"

#include <algorithm>
#include <system_error>

#include "fcm/base/stopwatch.h"

namespace fcm::loader {
namespace {

// Images that a thread takes at once: few, so that all threads finish together, but more than one
// in a large batch, so that threads with cheap images do not contend for the lock.
int64_t images_at_once(int64_t batch, int64_t threads) {
  return std::clamp<int64_t>(batch / (4 * threads), 1, 32);
}

}  // namespace

Prefetcher::Prefetcher(BatchWork work, int64_t threads, int64_t first_step, int64_t end_step)
    : work_(std::move(work)),
      threads_count_(std::max<int64_t>(threads, 1)),
      end_step_(end_step),
      next_step_(first_step),
      opened_step_(first_step) {
  threads_.reserve(static_cast<size_t>(threads_count_));
  try {
    for (int64_t i = 0; i < threads_count_; ++i) threads_.emplace_back([this] { run(); });
  } catch (const std::system_error&) {  // no more threads available: continue with fewer
    if (threads_.empty()) throw;
  }
}

Prefetcher::~Prefetcher() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_available_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

std::optional<Batch> Prefetcher::next() {
  std::unique_lock lock(mutex_);
  if (next_step_ >= end_step_) return std::nullopt;
  Slot& ready = slot(next_step_);
  batch_ready_.wait(lock,
                    [&] { return next_step_ < opened_step_ && ready.done == ready.batch.batch; });
  Slot finished = std::move(ready);
  ++next_step_;
  lock.unlock();
  work_available_.notify_all();
  if (finished.error) std::rethrow_exception(finished.error);
  std::sort(finished.bad.begin(), finished.bad.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  for (auto& [index, bad] : finished.bad) finished.batch.bad.push_back(std::move(bad));
  return std::move(finished.batch);
}

void Prefetcher::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (!take_images(lock) && !open_step(lock)) work_available_.wait(lock);
  }
}

// Fills some images of the earliest step that has any left. Returns whether there were any.
bool Prefetcher::take_images(std::unique_lock<std::mutex>& lock) {
  for (int64_t step = next_step_; step < opened_step_; ++step) {
    Slot& open = slot(step);
    const int64_t size = open.batch.batch;
    if (open.taken >= size) continue;
    Range range;
    range.begin = open.taken;
    range.end = std::min(size, range.begin + images_at_once(size, threads_count_));
    open.taken = range.end;
    lock.unlock();
    fill(open.batch, range);
    lock.lock();
    open.done += range.end - range.begin;
    open.batch.decode_seconds += range.seconds;
    std::move(range.bad.begin(), range.bad.end(), std::back_inserter(open.bad));
    if (range.error && (!open.error || range.begin < open.error_index)) {
      open.error = range.error;
      open.error_index = range.begin;
    }
    if (open.done == size) batch_ready_.notify_all();
    return true;
  }
  return false;
}

// Prepares the next step's batch for filling. One thread does this while the others keep filling.
bool Prefetcher::open_step(std::unique_lock<std::mutex>& lock) {
  const int64_t step = opened_step_;
  if (opening_ || step >= end_step_ || step >= next_step_ + static_cast<int64_t>(kAhead)) {
    return false;
  }
  opening_ = true;
  lock.unlock();
  Slot fresh;
  try {
    fresh.batch = work_.prepare(step);
  } catch (...) {
    fresh.batch = {};  // nothing to fill; next() rethrows
    fresh.error = std::current_exception();
  }
  lock.lock();
  opening_ = false;
  slot(step) = std::move(fresh);
  ++opened_step_;
  work_available_.notify_all();
  batch_ready_.notify_all();  // a batch without images is ready at once
  return true;
}

void Prefetcher::fill(Batch& batch, Range& range) {
  const Stopwatch watch;
  try {
    for (int64_t i = range.begin; i < range.end && !stopping_; ++i) {
      if (auto bad = work_.fill(batch, i)) range.bad.emplace_back(i, std::move(*bad));
    }
  } catch (...) {
    range.error = std::current_exception();
  }
  range.seconds = watch.seconds();
}

}  // namespace fcm::loader
