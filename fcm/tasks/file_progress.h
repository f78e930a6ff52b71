// A progress line while large files are read or written. The code that reads or writes them needs
// no callbacks, because the system counts the bytes that this process reads and writes.
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

// Size in bytes of the weights at a path of --checkpoint, which may be a file, a step-N folder, a
// run (`steps`: its newest step or all steps), or another folder with weight files. 0: there are
// none.
int64_t bytes_of_checkpoint(const std::filesystem::path& path, Steps steps);

// While an object exists, it reports four times a second how many of `due` bytes are read or
// written.
class FileProgress {
 public:
  // `reporter` is called from another thread.
  FileProgress(Reporter& reporter, const std::string& what, int64_t due,
               Moved moved = Moved::kRead);

 private:
  void watch(const std::stop_token& stop);

  Progress progress_;
  const Moved moved_;
  std::optional<int64_t> seen_;  // bytes_of_process() at the last report
  std::jthread watcher_;         // declared last, because it uses the other members
};

}  // namespace fcm::tasks
