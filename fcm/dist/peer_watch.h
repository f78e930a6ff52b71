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

// Each rank counts its beats in the store and looks at those of the next one: whoever stops
// counting is found by the rank before it, which writes that where all look. So the store is asked
// as often as there are ranks, however many. Time counts while this process runs: one that was
// stopped itself blames nobody.
class PeerWatch {
 public:
  struct Options {
    int64_t rank = 0, size = 1;
    std::vector<std::string> names;  // of the ranks: "rank 1 on host gpu02"
    std::string store_name;          // who keeps the store
    std::chrono::milliseconds beat{}, lost_after{};
    std::function<void(const std::string&)> on_lost;
  };

  // `store`: a connection that nobody else uses.
  PeerWatch(c10::intrusive_ptr<c10d::Store> store, Options options);
  ~PeerWatch();

  void leave();
  void give_up(const std::string& why);
  // The connection to another rank broke: waits until it is known which one is lost, as long as
  // that can take. Empty: it did not come out.
  std::string cause();
  // The same without waiting.
  std::string known_cause();
  // Waits until every rank has left, but not for ever.
  void wait_for_all_to_leave();

 private:
  void beat();   // the thread that speaks to the store
  void watch();  // the thread that sees whether the store answers
  bool pause();  // until the next beat; false: stop
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
  std::thread beating_, watching_;
};

}  // namespace fcm::dist
