// Writes TensorBoard event files with scalars, without TensorFlow: length-prefixed protobuf
// messages with masked CRC-32C checksums. Does not link LibTorch.
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
  float value = 0;       // may be NaN or infinite
};

// Whether a file name has the form that EventWriter writes:
// events.out.tfevents.<seconds>.<host>.<process>.
bool is_event_file(const std::string& name);

class EventWriter {
 public:
  // Creates the folder if it is missing, and a new file
  // events.out.tfevents.<seconds>.<host>.<process> in it. All members throw Error(kCheckpoint).
  explicit EventWriter(const std::filesystem::path& folder);

  // Call this first in a resumed run. `step` is the next step to be added: TensorBoard then drops
  // the events of earlier files from `step` on.
  void resume_at(int64_t step);

  // Adds one event with all `scalars`; it is passed to the operating system before add() returns.
  // After an error no part of the event is in the file. `wall_time`: seconds since 1970.
  void add(int64_t step, std::span<const Scalar> scalars, double wall_time);
  void add(int64_t step, std::span<const Scalar> scalars);        // at the current time
  void scalar(std::string_view tag, double value, int64_t step);  // one scalar, current time

  const std::filesystem::path& path() const { return path_; }

 private:
  void append(std::string_view event);

  std::filesystem::path path_;
  Descriptor file_;
  int64_t size_ = 0;
};

}  // namespace fcm::train
