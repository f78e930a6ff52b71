#include "fcm/train/run_log.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/base/system_call.h"
#include "fcm/formats/json_text.h"

namespace fcm::train {
namespace {

using nlohmann::json;

constexpr const char* kFailpoints = "log";

[[noreturn]] void fail_on(const char* action, const std::filesystem::path& path, int reason) {
  fail(ExitCode::kCheckpoint, "cannot {} {}: {}", action, path.string(), std::strerror(reason));
}

// The object on a line; nullopt if the line holds anything else.
std::optional<json> object_on(std::string_view line) {
  json object = json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return std::nullopt;
  return object;
}

// Removes the next line from `text` and returns it, with its line end if it has one.
std::string_view take_line(std::string_view& text) {
  const size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end == text.npos ? end : end + 1);
  text.remove_prefix(line.size());
  return line;
}

bool is_up_to(const json& object, int64_t step) {
  const auto found = object.find("step");
  return found != object.end() && found->is_number_integer() && found->get<int64_t>() <= step;
}

}  // namespace

RunLog::RunLog(std::filesystem::path path) : path_(std::move(path)) {
  if (path_.has_parent_path()) {
    make_folders(path_.parent_path(), ExitCode::kCheckpoint, kFailpoints);
  }
  open();
}

void RunLog::open() {
  file_ = Descriptor(system_call::open(kFailpoints, path_, O_WRONLY | O_CREAT | O_APPEND));
  if (!file_.is_open()) fail_on("open", path_, errno);
  const std::string content = read_file(path_, ExitCode::kCheckpoint);
  size_ = static_cast<int64_t>(content.rfind('\n') + 1);  // npos + 1 is 0
  if (size_ == static_cast<int64_t>(content.size())) return;
  if (system_call::truncate(kFailpoints, file_.get(), size_, path_) != 0) {
    fail_on("trim", path_, errno);
  }
}

void RunLog::write(const json& object) {
  require(object.is_object(), "a line of the log must be an object, not {}", object.type_name());
  const std::string line = formats::json_text(object) + '\n';
  const ssize_t put =
      system_call::write(kFailpoints, file_.get(), std::as_bytes(std::span(line)), path_);
  if (put == static_cast<ssize_t>(line.size())) {
    size_ += put;
    return;
  }
  const int reason = put < 0 ? errno : ENOSPC;
  system_call::truncate(kFailpoints, file_.get(), size_, path_);
  fail_on("write", path_, reason);
}

void RunLog::sync() {
  if (system_call::fsync(kFailpoints, file_.get(), path_) != 0) fail_on("sync", path_, errno);
}

void RunLog::trim_to_step(int64_t step) {
  const std::string content = read_file(path_, ExitCode::kCheckpoint);
  std::string kept;
  for (std::string_view rest = content; !rest.empty();) {
    const std::string_view line = take_line(rest);
    const std::optional<json> object = object_on(line);
    if (line.ends_with('\n') && object && is_up_to(*object, step)) kept += line;
  }
  if (kept == content) return;
  write_file_durably(path_, kept, ExitCode::kCheckpoint, kFailpoints);
  open();  // the file was replaced by another one
}

std::vector<json> read_log(const std::filesystem::path& path) {
  const std::string content = read_file(path, ExitCode::kCheckpoint);
  std::vector<json> objects;
  int64_t number = 0;
  for (std::string_view rest = content; !rest.empty();) {
    const std::string_view line = take_line(rest);
    ++number;
    std::optional<json> object = object_on(line);
    if (object) {
      objects.push_back(std::move(*object));
    } else if (!rest.empty()) {
      fail(ExitCode::kCheckpoint, "{}, line {}: expected a JSON object", path.string(), number);
    }
  }
  return objects;
}

}  // namespace fcm::train
