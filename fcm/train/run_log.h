// log.jsonl of a run: one JSON object a line. Links no LibTorch.
//
// Steps and epochs write objects with a member "step". However often a run is killed and resumed,
// each stands in the log once: resuming trims it to the step that is resumed from. Numbers that are
// not finite are written as null, since JSON has no word for them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "fcm/base/file.h"

namespace fcm::train {

class RunLog {
 public:
  // Opens the log to write at its end, creating it and its folder where they are missing. A last
  // line that lacks its end is removed. Throws Error(kCheckpoint), as do the others.
  explicit RunLog(std::filesystem::path path);

  // One line by one call of the system. After an error nothing of it is in the file.
  void write(const nlohmann::json& object);

  // Keeps the whole, valid lines whose "step" is a whole number up to `step`. Durable and in one
  // step: a crash leaves the log as it was or as it should be.
  void trim_to_step(int64_t step);

  // Makes the lines so far survive a power failure. Worth it before a checkpoint is committed.
  void sync();

 private:
  void open();

  std::filesystem::path path_;
  Descriptor file_;
  int64_t size_ = 0;
};

// All objects, in order. The last line may be torn, and is then left out; another line that is no
// JSON object is an Error(kCheckpoint) with its number.
std::vector<nlohmann::json> read_log(const std::filesystem::path& path);

}  // namespace fcm::train
