// A progress line while large files are read or written. Who does that knows nothing of it: the
// system counts what this process reads and writes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>

#include "fcm/base/progress.h"
#include "fcm/base/reporter.h"

namespace fcm::tasks {

enum class Moved { kRead, kWritten };

// Bytes that this process has read or written so far, as /proc/self/io has it; nullopt: it does not
// say.
std::optional<int64_t> bytes_of_process(Moved moved);

enum class Steps { kNewest, kAll };

// Size of the weights that a path of --checkpoint stands for: of a file, of a step, of the newest
// step or all steps of a run, of what is in a folder of another layout. 0 where there is nothing.
int64_t bytes_of_checkpoint(const std::filesystem::path& path, Steps steps);

// From its construction to its end, says four times a second how many of `due` bytes are done.
class FileProgress {
 public:
  // `reporter` takes calls of another thread.
  FileProgress(Reporter& reporter, const std::string& what, int64_t due,
               Moved moved = Moved::kRead);

 private:
  void watch(const std::stop_token& stop);

  Progress progress_;
  const Moved moved_;
  std::optional<int64_t> seen_;  // of the process
  std::jthread watcher_;         // last: it uses the others
};

}  // namespace fcm::tasks
