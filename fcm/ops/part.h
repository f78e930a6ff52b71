// Names a stretch of work for profiles. While nobody listens it costs the reading of a pointer.
#pragma once

#include <cstdint>

namespace fcm::ops {

// Operations and bytes are by count; inputs and outputs of matrix products, else 0.
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
  // What comes next belongs to this phase of an update: "encoder", "decoder", "head", "teachers",
  // "backward", "update"; "": to none.
  virtual void phase(const char* /*name*/) {}
};

// Hears of the work that this thread does from now on; null: nobody does. Returns who did before.
WorkListener* listen(WorkListener* listener);

// Tells the listener of this thread, if there is one.
void enter_phase(const char* name);

// From construction to destruction.
class Part {
 public:
  Part(const char* name, double flops, double bytes, int64_t inputs = 0, int64_t outputs = 0);
  ~Part();
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;

 private:
  Work work_;
  WorkListener* listener_;
};

}  // namespace fcm::ops
