// A progress line while large files are read or written. The code that does so needs no hooks: the
// system counts the bytes that this process reads and writes.
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

// Bytes that this process has read or written so far, from /proc/self/io; nullopt: not available.
std::optional<int64_t> bytes_of_process(Moved moved);

enum class Steps { kNewest, kAll };

// Size of the weights at a path of --checkpoint: of a file, of a step, of the newest step or all
// steps of a run, of the weight files in another folder. 0 if there are none.
int64_t bytes_of_checkpoint(const std::filesystem::path& path, Steps steps);

// While it exists, reports four times a second how many of `due` bytes are done.
class FileProgress {
 public:
  // `reporter` is called from another thread.
  FileProgress(Reporter& reporter, const std::string& what, int64_t due,
               Moved moved = Moved::kRead);

 private:
  void watch(const std::stop_token& stop);

  Progress progress_;
  const Moved moved_;
  std::optional<int64_t> seen_;  // of the process
  std::jthread watcher_;         // declared last, because it uses the others
};

}  // namespace fcm::tasks
