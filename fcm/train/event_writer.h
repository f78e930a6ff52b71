// TensorBoard event files, scalars only. Written by hand: a length-framed file of small protobuf
// messages with masked CRC-32C sums. Links no LibTorch.
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

// Whether a file is named as EventWriter names its own:
// events.out.tfevents.<seconds>.<host>.<process>.
bool is_event_file(const std::string& name);

class EventWriter {
 public:
  // Creates the folder where it is missing and a new file in it,
  // events.out.tfevents.<seconds>.<host>.<process>. Throws Error(kCheckpoint), as do the others.
  explicit EventWriter(const std::filesystem::path& folder);

  // For a resumed run, before anything is added: viewers drop what earlier files hold from `step`
  // on, which is the step that will be added next.
  void resume_at(int64_t step);

  // One event with all these scalars, handed to the system before this returns. Either the whole
  // event is in the file or, after an error, nothing of it. `wall_time`: seconds since 1970.
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
