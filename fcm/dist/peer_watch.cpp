#include "fcm/dist/peer_watch.h"

#include <fmt/format.h>

#include <exception>
#include <utility>

namespace fcm::dist {
namespace {

constexpr const char* kLost = "lost";
constexpr int64_t kLeft = int64_t{1} << 40;  // more than the number of heartbeats can be

std::string heartbeats_of(int64_t rank) { return fmt::format("beats/{}", rank); }

}  // namespace

PeerWatch::PeerWatch(c10::intrusive_ptr<c10d::Store> store, Options options)
    : store_(std::move(store)), options_(std::move(options)) {
  try {
    heartbeating_ = std::thread([this] { send_heartbeats(); });
    watching_ = std::thread([this] { watch(); });
  } catch (...) {  // the system allows no more threads
    stop();
    throw;
  }
}

PeerWatch::~PeerWatch() { stop(); }

void PeerWatch::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread* thread : {&heartbeating_, &watching_}) {
    if (thread->joinable()) thread->join();
  }
}

bool PeerWatch::pause() {
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, options_.heartbeat, [&] { return stopping_; });
}

void PeerWatch::send_heartbeats() {
  const int64_t next = (options_.rank + 1) % options_.size;
  const auto patience = options_.lost_after / options_.heartbeat;
  int64_t last = -1, silent = 0;
  try {
    do {
      std::unique_lock store(store_mutex_);
      store_->add(heartbeats_of(options_.rank), 1);
      const int64_t beats = store_->add(heartbeats_of(next), 0);
      if (store_->check({kLost})) {
        const std::string why = store_->get_to_str(kLost);
        store.unlock();
        return lost(why);
      }
      silent = beats == last ? silent + 1 : 0;
      last = beats;
      if (silent > patience && beats < kLeft) {
        const double seconds = std::chrono::duration<double>(options_.lost_after).count();
        store_->compareSet(kLost, "",
                           fmt::format("{} was lost: no heartbeat for {:.0f} s",
                                       options_.names[static_cast<size_t>(next)], seconds));
      }
      ++answers_;
    } while (pause());
  } catch (const std::exception&) {
    lost(fmt::format("{} was lost: the connection broke", options_.store_name));
  }
}

void PeerWatch::watch() {
  // Longer than lost_after, so that a rank that still reaches the store reports the lost rank
  // first.
  const auto patience = options_.lost_after / options_.heartbeat + 3;
  int64_t last = -1, silent = 0;
  while (pause()) {
    const int64_t answers = answers_;
    silent = answers == last ? silent + 1 : 0;
    last = answers;
    if (silent <= patience) continue;
    return lost(fmt::format("{} was lost: no answer for {:.0f} s", options_.store_name,
                            std::chrono::duration<double>(options_.heartbeat * silent).count()));
  }
}

void PeerWatch::lost(const std::string& why) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || !cause_.empty()) return;
    cause_ = why;
  }
  changed_.notify_all();
  if (options_.on_lost) options_.on_lost(why);
}

std::string PeerWatch::cause() {
  std::unique_lock lock(mutex_);
  const auto longest = options_.lost_after + 5 * options_.heartbeat;
  changed_.wait_for(lock, longest, [&] { return !cause_.empty(); });
  return cause_;
}

std::string PeerWatch::known_cause() {
  const std::lock_guard lock(mutex_);
  return cause_;
}

void PeerWatch::give_up(const std::string& why) {
  const std::lock_guard lock(store_mutex_);
  store_->compareSet(
      kLost, "",
      fmt::format("{} gave up: {}", options_.names[static_cast<size_t>(options_.rank)], why));
}

void PeerWatch::leave() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  const std::lock_guard lock(store_mutex_);
  store_->add(heartbeats_of(options_.rank), kLeft);
}

void PeerWatch::wait_for_all_to_leave() {
  const auto end = std::chrono::steady_clock::now() + options_.lost_after;
  const std::lock_guard lock(store_mutex_);
  for (int64_t rank = 0; rank < options_.size; ++rank) {
    while (store_->add(heartbeats_of(rank), 0) < kLeft && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
}

}  // namespace fcm::dist
