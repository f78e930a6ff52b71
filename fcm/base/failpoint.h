// Places where a test makes a system call fail, stop half-way or end the process, so that what
// happens at a crash or on a full disk can be tried at every single call.
//
// Every call of system_call.h passes two points, "<who>.<call>.before" and "<who>.<call>.after":
// "checkpoint.write.before". While nothing is armed or observed a point costs one atomic load.
// The armed spec is process-wide: the one exception to "no globals", because a crash is too.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace fcm::failpoint {

// Spec: "name:nth:action", or several with commas between them.
//   name    whole words from the left of a point's name: "checkpoint", "checkpoint.fsync",
//           "log.write.before"; "any" is every point
//   nth     1 is the first point that matches; "3+" is the third and all that follow; 0 is never
//           (points are only counted)
//   action  kill (SIGKILL on ourselves), an error: ENOSPC EIO EDQUOT EACCES EINTR EINVAL (before:
//           the call is not made; after: it was made and reports failure all the same, save for
//           EINTR and for open), short (a write takes only half of its bytes), or
//           delay-MILLISECONDS
// Replaces what was armed. Throws Error(kUsage) for a spec that is none.
void arm(const std::string& spec);
void disarm();

// Points that matched the (first) name since arm().
int64_t hits();

// A system call, as points and observers see it. `target` is the second path of a rename, else
// null; `bytes` those of a write.
struct Call {
  const char* who;
  const char* call;
  const char* path;
  const char* target = nullptr;
  std::span<const std::byte> bytes = {};
};

// Is told of every call that succeeded, in order, until replaced by {}. For tests.
void observe(std::function<void(const Call&)> observer);

namespace detail {

struct Fault {
  int error = 0;         // errno to report; 0: none
  bool shorten = false;  // write only half
};

extern std::atomic<bool> active;
Fault pass(const Call& call, bool before);
void report_success(const Call& call);

}  // namespace detail

}  // namespace fcm::failpoint
