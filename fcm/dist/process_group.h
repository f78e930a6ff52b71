// Ranks as processes, which meet at c10d's store and communicate through c10d's Gloo process group,
// shared memory and NCCL.
//
// Traffic is neither authenticated nor encrypted. If all ranks are on one machine, all sockets are
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
  std::chrono::milliseconds patience = std::chrono::minutes(5);  // until all ranks have connected
  // Interval of heartbeats, and the silence after which a rank counts as lost.
  std::chrono::milliseconds heartbeat = std::chrono::seconds(1);
  std::chrono::milliseconds lost_after = std::chrono::seconds(15);
  // Called once, from a thread of the group, with a message that names the lost rank. The thread
  // that called join() may be blocked forever waiting for that rank, so on_lost has to end the
  // process.
  std::function<void(const std::string&)> on_lost;
};

// A process of a group. A separate thread sends its heartbeats from join() to leave().
class Process : public Group {
 public:
  // Says that this rank ends normally: its missing heartbeats are then no loss. Call it once, as
  // the last operation.
  virtual void leave() = 0;
  // Says that this rank fails: every other rank gets the reason (on_lost).
  virtual void give_up(const std::string& why) = 0;
};

// Connects to the other ranks and returns when all have connected. Throws Error(kUsage) if the port
// is in use, if two processes claim one rank or if programs differ; Error(kPeerLost) if a rank does
// not connect in time. The caller has to ignore SIGPIPE: Gloo writes to sockets of ranks that may
// have died, and the signal would end this process before on_lost is called.
std::shared_ptr<Process> join(const Placement& placement, const JoinOptions& options,
                              Reporter& reporter);

// Hosts the store of a group on this machine at a free port, in the process that starts the ranks.
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
