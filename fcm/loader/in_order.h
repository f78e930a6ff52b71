// A parallel loop whose results are consumed one at a time, in order.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace fcm::loader {

// Calls make(i) for 0 <= i < count on `threads` threads (fewer if the system has no more) and
// take(i, result) on the calling thread, in the order of i. At most eight results per thread are
// pending, so memory does not grow with count. An exception from make or take ends the loop; if
// make throws several times, the exception of the smallest i is rethrown.
template <class Make, class Take>
void for_each_in_order(int64_t count, int64_t threads, const Make& make, const Take& take) {
  struct Slot {
    std::optional<std::invoke_result_t<const Make&, int64_t>> result;
    std::exception_ptr fault;
  };
  constexpr int64_t kAheadOfEach = 8;
  const auto ahead = static_cast<size_t>(kAheadOfEach * std::max<int64_t>(threads, 1));
  std::vector<Slot> slots(ahead);
  std::mutex mutex;
  std::condition_variable room, ready;
  size_t started = 0, taken = 0;
  bool ended = false;
  const auto total = static_cast<size_t>(count);

  const auto work = [&] {
    std::unique_lock lock(mutex);
    while (true) {
      room.wait(lock, [&] { return ended || started >= total || started < taken + ahead; });
      if (ended || started >= total) return;
      const size_t i = started++;
      lock.unlock();
      Slot slot;
      try {
        slot.result.emplace(make(static_cast<int64_t>(i)));
      } catch (...) {
        slot.fault = std::current_exception();
      }
      lock.lock();
      slots[i % ahead] = std::move(slot);
      if (i == taken) ready.notify_one();
    }
  };

  std::vector<std::jthread> workers;
  struct Ending {  // its destructor ends the workers, before they are joined
    std::mutex& mutex;
    std::condition_variable& room;
    bool& ended;
    ~Ending() {
      const std::lock_guard lock(mutex);
      ended = true;
      room.notify_all();
    }
  } const ending{mutex, room, ended};
  for (int64_t t = 0; t < std::clamp<int64_t>(threads, 1, std::max<int64_t>(count, 1)); ++t) {
    try {
      workers.emplace_back(work);
    } catch (const std::system_error&) {  // no more threads available: continue with fewer
      if (workers.empty()) throw;
      break;
    }
  }
  for (size_t i = 0; i < total; ++i) {
    Slot slot;
    {
      std::unique_lock lock(mutex);
      Slot& filled = slots[i % ahead];
      ready.wait(lock, [&] { return filled.result || filled.fault; });
      slot = std::exchange(filled, Slot{});
    }
    if (slot.fault) std::rethrow_exception(slot.fault);
    take(static_cast<int64_t>(i), std::move(*slot.result));
    const std::lock_guard lock(mutex);
    taken = i + 1;
    room.notify_one();
  }
}

}  // namespace fcm::loader
