// Ranks as processes: they meet at c10d's store and communicate by its Gloo process group.
//
// Traffic is neither authenticated nor encrypted. If all ranks are on one machine, everything is
// bound to the loopback interface.
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
  std::string program;  // name and version; must be the same in every rank
  std::chrono::milliseconds patience = std::chrono::minutes(5);  // for all others to connect
  // Interval of heartbeats, and the silence after which a rank counts as lost.
  std::chrono::milliseconds heartbeat = std::chrono::seconds(1);
  std::chrono::milliseconds lost_after = std::chrono::seconds(15);
  // Called once, from another thread, with a message that names the lost rank. This thread may be
  // blocked forever waiting for that rank, so on_lost has to end the process.
  std::function<void(const std::string&)> on_lost;
};

// A process of a group. A thread of its own sends heartbeats from join() to leave().
class Process : public Group {
 public:
  // This rank ends normally: its silence does not count as a loss. Call it once, as the last
  // operation.
  virtual void leave() = 0;
  // This rank fails: every other rank gets the reason (on_lost).
  virtual void give_up(const std::string& why) = 0;
};

// Connects to the other ranks and returns when all are there. Throws Error(kUsage) if the port is
// in use, if two processes claim one rank or if programs differ; Error(kPeerLost) if a rank does
// not connect in time. The caller has to ignore SIGPIPE: Gloo writes to sockets whose other end may
// be a rank that has just died, and the signal would end this process before on_lost is called.
std::shared_ptr<Process> join(const Placement& placement, const JoinOptions& options,
                              Reporter& reporter);

// The store of a group on this machine, hosted by the process that starts the ranks, at a free
// port.
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
