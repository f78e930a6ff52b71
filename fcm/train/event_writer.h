// TensorBoard event files, scalars only. Written without TensorFlow: length-framed protobuf
// messages with masked CRC-32C sums. Does not link LibTorch.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "fcm/base/file.h"

namespace fcm::train {

struct Scalar {
  std::string_view tag;  // "loss/train"
  float value = 0;       // NaN and infinities are kept
};

// Whether a file name has the form that EventWriter writes:
// events.out.tfevents.<seconds>.<host>.<process>.
bool is_event_file(const std::string& name);

class EventWriter {
 public:
  // Creates the folder if it is missing, and a new file
  // events.out.tfevents.<seconds>.<host>.<process> in it. All members throw Error(kCheckpoint).
  explicit EventWriter(const std::filesystem::path& folder);

  // Call first in a resumed run. TensorBoard then drops the events of earlier files from `step` on;
  // `step` is the next one to be added.
  void resume_at(int64_t step);

  // One event with all these scalars, passed to the system before this returns. After an error the
  // file holds nothing of the event. `wall_time`: seconds since 1970.
  void add(int64_t step, std::span<const Scalar> scalars, double wall_time);
  void add(int64_t step, std::span<const Scalar> scalars);        // now
  void scalar(std::string_view tag, double value, int64_t step);  // one, now

  const std::filesystem::path& path() const { return path_; }

 private:
  void append(std::string_view event);

  std::filesystem::path path_;
  Descriptor file_;
  int64_t size_ = 0;
};

}  // namespace fcm::train
