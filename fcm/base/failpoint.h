// Failpoints let a test make a system call fail, write only half of its bytes, wait, or kill the
// process, to simulate a crash or a full disk at every single call.
//
// Every call of system_call.h passes the point "<who>.<call>.before", such as
// "checkpoint.write.before", and if it succeeds also "<who>.<call>.after". While nothing is armed
// or observed, a call costs one atomic load. The armed spec is global, because a crash affects the
// whole process too.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace fcm::failpoint {

// Spec: "name:nth:action", or several separated by commas.
//   name    a prefix of the point's name, in whole words: "checkpoint", "checkpoint.fsync",
//           "log.write.before"; "any" is every point
//   nth     1 is the first point that matches; "3+" is the third and all that follow; 0 is never
//           (points are only counted)
//   action  kill (SIGKILL to this process); an error: ENOSPC EIO EDQUOT EACCES EINTR EINVAL
//           (before: the call is not made; after: the call was made but reports failure, except
//           for EINTR and for open; EINTR not with "+"); short (a write takes only half of its
//           bytes); or delay-MILLISECONDS
// Replaces the armed spec. Throws Error(kUsage) if the spec is malformed.
void arm(const std::string& spec);
void disarm();

// How often execution has passed points that match the name in the first spec, since arm().
int64_t hits();

// A system call, as points and observers see it. `target` is the second path of a rename or
// exchange, else null; `bytes` are those of a write.
struct Call {
  const char* who;
  const char* call;
  const char* path;
  const char* target = nullptr;
  std::span<const std::byte> bytes = {};
};

// Sets a callback that receives every successful call, in order; {} removes it. For tests.
void observe(std::function<void(const Call&)> observer);

namespace detail {

struct Fault {
  int error = 0;         // errno to report; 0: no error
  bool shorten = false;  // write only half
};

extern std::atomic<bool> active;
Fault pass(const Call& call, bool before);
void report_success(const Call& call);

}  // namespace detail

}  // namespace fcm::failpoint
