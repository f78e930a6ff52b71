// log.jsonl of a run: one JSON object a line. Does not link LibTorch.
//
// The objects of steps and epochs have a member "step". Each is in the log once, however often a
// run is killed and resumed, because resuming trims the log to the step from which it resumes.
// Non-finite values are written as null, since JSON cannot represent them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "fcm/base/file.h"

namespace fcm::train {

class RunLog {
 public:
  // Opens the log for appending; creates it and its folder if missing. Removes an incomplete last
  // line. All members throw Error(kCheckpoint).
  explicit RunLog(std::filesystem::path path);

  // Appends one line with one write(2). After an error no part of it is in the file.
  void write(const nlohmann::json& object);

  // Keeps the complete, valid lines whose "step" is an integer up to `step`. Durable and atomic: a
  // crash leaves the old log or the new one.
  void trim_to_step(int64_t step);

  // Makes all lines survive a power failure. Call it before a checkpoint is committed.
  void sync();

 private:
  void open();

  std::filesystem::path path_;
  Descriptor file_;
  int64_t size_ = 0;
};

// All objects, in order. An incomplete last line is ignored; any other line that is not a JSON
// object is an Error(kCheckpoint) that names the line's number.
std::vector<nlohmann::json> read_log(const std::filesystem::path& path);

}  // namespace fcm::train
