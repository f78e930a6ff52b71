#include "apps/ranks.h"

#include <c10/util/Logging.h>
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "apps/stderr_reporter.h"
#include "apps/version.h"
#include "fcm/base/error.h"
#include "fcm/base/file.h"

namespace fcm::apps {

dist::Placement placement_of_process() {
  return dist::placement_from([](const char* name) -> std::optional<std::string> {
    const char* value = std::getenv(name);
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  });
}

void keep_libtorch_quiet() {
  constexpr int kFatal = 3;
  if (std::getenv("TORCH_CPP_LOG_LEVEL") == nullptr) FLAGS_caffe2_log_level = kFatal;
}

std::shared_ptr<dist::Process> join_ranks(const dist::Placement& placement, Reporter& reporter) {
  dist::JoinOptions options;
  const nlohmann::json facts = version_facts();
  options.program = fmt::format("fastconvmae {} ({})", facts.at("version").get<std::string>(),
                                facts.at("revision").get<std::string>());
  options.on_lost = [placement](const std::string& cause) {
    StderrReporter(style_of_stderr(false)).error(with_rank(placement, cause));
    write_error_file(cause);
    // The main thread may be blocked forever waiting for the lost rank. Ending here is safe,
    // because files are written such that the process may end at any time.
    ::_exit(static_cast<int>(ExitCode::kPeerLost));
  };
  return dist::join(placement, options, reporter);
}

void write_error_file(const std::string& message) {
  const char* path = std::getenv("TORCHELASTIC_ERROR_FILE");
  if (path == nullptr || *path == '\0') return;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now).count();
  const nlohmann::json error = {
      {"message",
       {{"message", message},
        {"extraInfo", {{"py_callstack", ""}, {"timestamp", std::to_string(seconds)}}}}}};
  try {
    constexpr auto kReplace = nlohmann::json::error_handler_t::replace;
    write_file_durably(path, error.dump(-1, ' ', false, kReplace), ExitCode::kUsage);
  } catch (const Error&) {  // the message is on stderr anyway
  }
}

std::string with_rank(const dist::Placement& placement, const std::string& line) {
  return placement.rank == 0 ? line : fmt::format("rank {}: {}", placement.rank, line);
}

void RankReporter::info(const std::string& line) {
  if (placement_.rank == 0) to_.info(line);
}

void RankReporter::warn(const std::string& line) { to_.warn(with_rank(placement_, line)); }

void RankReporter::progress(const std::string& line) {
  if (placement_.rank == 0) to_.progress(line);
}

}  // namespace fcm::apps
