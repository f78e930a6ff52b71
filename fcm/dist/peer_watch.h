// Finds out which rank of a group is lost. Private to this folder.
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

// Each rank counts its heartbeats in the store and watches those of the next rank. When they stop,
// it writes to the store which rank is lost, and every rank reads that. The number of queries grows
// only linearly with the ranks. Silence is counted in heartbeats of the watching process, so one
// that was itself stopped for a while does not report others as lost.
class PeerWatch {
 public:
  struct Options {
    int64_t rank = 0, size = 1;
    std::vector<std::string> names;  // of the ranks: "rank 1 on host gpu02"
    std::string store_name;          // the process that hosts the store
    std::chrono::milliseconds heartbeat{}, lost_after{};
    std::function<void(const std::string&)> on_lost;
  };

  // `store`: a connection that nothing else uses.
  PeerWatch(c10::intrusive_ptr<c10d::Store> store, Options options);
  ~PeerWatch();

  void leave();
  void give_up(const std::string& why);
  // Call after a connection to another rank broke: waits until it is known which rank is lost, as
  // long as that can take. Empty: unknown.
  std::string cause();
  // The same without waiting.
  std::string known_cause();
  // Waits until every rank has left, at most lost_after.
  void wait_for_all_to_leave();

 private:
  void send_heartbeats();  // thread: writes and reads heartbeats in the store
  void watch();            // thread: watches whether the store answers
  bool pause();            // until the next heartbeat; false: stop
  void stop();
  void lost(const std::string& why);

  c10::intrusive_ptr<c10d::Store> store_;
  const Options options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string cause_;
  bool stopping_ = false;
  std::mutex store_mutex_;
  std::atomic<int64_t> answers_{0};  // of the store
  std::thread heartbeating_, watching_;
};

}  // namespace fcm::dist
