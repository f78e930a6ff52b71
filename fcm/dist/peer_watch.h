// Detects which rank of a group is lost. Private to this folder.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <torch/csrc/distributed/c10d/Store.hpp>
#include <vector>

namespace fcm::dist {

// Each rank counts its heartbeats in the store and watches those of the next rank. When the next
// rank's heartbeats stop, it writes to the store which rank is lost, and every rank reads that. The
// number of queries grows linearly with the number of ranks. Silence is counted in heartbeats of
// the watching process, so a process that was itself suspended does not report others as lost.
class PeerWatch {
 public:
  struct Options {
    int64_t rank = 0, size = 1;
    std::vector<std::string> names;  // of the ranks: "rank 1 on host gpu02"
    std::string store_name;          // the process that hosts the store
    std::chrono::milliseconds heartbeat{}, lost_after{};
    std::function<void(const std::string&)> on_lost;
  };

  // `store`: a connection to the store that nothing else uses.
  PeerWatch(c10::intrusive_ptr<c10d::Store> store, Options options);
  ~PeerWatch();

  void leave();                          // as Process::leave
  void give_up(const std::string& why);  // as Process::give_up
  // A message that says which rank is lost. Call after a connection to another rank broke: waits
  // until that is known, at most lost_after and 5 heartbeats. Empty: unknown.
  std::string cause();
  // Like cause(), without waiting.
  std::string known_cause();
  // Waits until every rank has left, at most lost_after.
  void wait_for_all_to_leave();

 private:
  void send_heartbeats();  // thread: writes and reads heartbeats in the store
  void watch();            // thread: watches whether the store answers
  bool pause();            // waits until the next heartbeat; false: stop() or leave() was called
  void stop();
  void lost(const std::string& why);

  c10::intrusive_ptr<c10d::Store> store_;
  const Options options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string cause_;
  bool stopping_ = false;
  std::mutex store_mutex_;
  std::atomic<int64_t> answers_{0};  // number of answers from the store
  std::thread heartbeating_, watching_;
};

}  // namespace fcm::dist
