// Names sections of work for profiles. Without a listener a section costs one pointer read.
#pragma once

#include <cstdint>

namespace fcm::ops {

// Operations and bytes are analytic counts, not measured. inputs, outputs: features of a matrix
// product or channels of a convolution, otherwise 0.
struct Work {
  const char* name;
  double flops, bytes;
  int64_t inputs, outputs;
};

class WorkListener {
 public:
  virtual ~WorkListener() = default;
  virtual void begin() = 0;
  virtual void end(const Work& work) = 0;
  // Work from now on belongs to this phase of a training step: "encoder", "decoder", "head",
  // "detector", "segmenter", "teachers", "loss", "backward" or "update"; "": to none.
  virtual void phase(const char* /*name*/) {}
};

// Sets the listener for the work of this thread (null: none). Returns the previous one.
WorkListener* listen(WorkListener* listener);

// Reports the phase to this thread's listener, if there is one.
void enter_phase(const char* name);

// A section of work, from construction to destruction.
class ProfileScope {
 public:
  ProfileScope(const char* name, double flops, double bytes, int64_t inputs = 0,
               int64_t outputs = 0);
  ~ProfileScope();
  ProfileScope(const ProfileScope&) = delete;
  ProfileScope& operator=(const ProfileScope&) = delete;

 private:
  Work work_;
  WorkListener* listener_;
};

}  // namespace fcm::ops
