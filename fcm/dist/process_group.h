// Ranks that are processes: c10d's store, where they meet, and its Gloo process group.
//
// What they say to each other is neither authenticated nor secret. Where all are on one machine,
// everything is bound to its loopback interface.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "fcm/base/reporter.h"
#include "fcm/dist/group.h"
#include "fcm/dist/placement.h"

namespace fcm::dist {

struct JoinOptions {
  std::string program;  // name and version; has to be the same in every rank
  std::chrono::milliseconds patience = std::chrono::minutes(5);  // until all others have come
  // Every rank says so often that it lives, and is lost when it has not for so long.
  std::chrono::milliseconds beat = std::chrono::seconds(1);
  std::chrono::milliseconds lost_after = std::chrono::seconds(15);
  // A rank is lost, and the sentence says which. Called once, from another thread, while this one
  // may wait for the lost rank for ever: it has to end the process.
  std::function<void(const std::string&)> on_lost;
};

// A process of a group. It answers for its life in a thread of its own, from join() to leave().
class Process : public Group {
 public:
  // This rank has ended in an orderly way: its silence is no reason to worry. The last thing to
  // call, once.
  virtual void leave() = 0;
  // This rank cannot go on: every other one learns why (on_lost).
  virtual void give_up(const std::string& why) = 0;
};

// Meets the others and returns when all have come. Throws Error(kUsage) where the port is in use,
// where two say that they are the same rank and where programs differ; Error(kPeerLost) where
// somebody does not come.
std::shared_ptr<Process> join(const Placement& placement, const JoinOptions& options,
                              Reporter& reporter);

// The store of a group on this machine, kept by whoever starts the ranks; at a port that was free.
class StoreHost {
 public:
  StoreHost();
  ~StoreHost();
  int64_t port() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fcm::dist
