#include "fcm/tasks/file_progress.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <system_error>

namespace fcm::tasks {
namespace fs = std::filesystem;
namespace {

bool holds_weights(const fs::path& file) {
  constexpr std::array kEndings = {".safetensors", ".pth", ".pt", ".bin", ".ckpt", ".tar"};
  return std::find(kEndings.begin(), kEndings.end(), file.extension()) != kEndings.end();
}

int64_t bytes_in(const fs::path& folder) {
  int64_t bytes = 0;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    if (!entry.is_regular_file(error) || !holds_weights(entry.path())) continue;
    const auto size = entry.file_size(error);
    if (!error) bytes += static_cast<int64_t>(size);
  }
  return bytes;
}

}  // namespace

std::optional<int64_t> bytes_of_process(Moved moved) {
  std::ifstream file("/proc/self/io");
  const std::string wanted = moved == Moved::kRead ? "rchar:" : "wchar:";
  std::string key;
  for (int64_t bytes = 0; file >> key >> bytes;) {
    if (key == wanted) return bytes;
  }
  return std::nullopt;
}

int64_t bytes_of_checkpoint(const fs::path& path, Steps steps) {
  std::error_code error;
  if (fs::is_regular_file(path, error)) return static_cast<int64_t>(fs::file_size(path, error));
  const fs::path inner = path / "checkpoints",
                 folder = fs::is_directory(inner, error) ? inner : path;
  int64_t all = bytes_in(folder), newest = 0;
  fs::file_time_type latest = fs::file_time_type::min();
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    if (!entry.is_directory(error) || !fs::exists(entry.path() / "manifest.json", error)) continue;
    const int64_t bytes = bytes_in(entry.path());
    all += bytes;
    const fs::file_time_type written = fs::last_write_time(entry.path(), error);
    if (written < latest) continue;
    latest = written;
    newest = bytes;
  }
  return steps == Steps::kNewest && newest > 0 ? newest : all;
}

FileProgress::FileProgress(Reporter& reporter, const std::string& what, int64_t due, Moved moved)
    : progress_(reporter, what, due, kBytes), moved_(moved), seen_(bytes_of_process(moved)) {
  if (!seen_ || due == 0) return;
  try {
    watcher_ = std::jthread([this](const std::stop_token& stop) { watch(stop); });
  } catch (const std::system_error&) {  // no thread is available: no progress line
  }
}

void FileProgress::watch(const std::stop_token& stop) {
  constexpr std::chrono::milliseconds kPause{250};
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  while (!never.wait_for(lock, stop, kPause, [] { return false; }) && !stop.stop_requested()) {
    const std::optional<int64_t> now = bytes_of_process(moved_);
    if (!now) return;
    progress_.add(*now - *seen_);
    seen_ = now;
  }
}

}  // namespace fcm::tasks
