#include "apps/program.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <cstring>
#include <exception>
#include <filesystem>
#include <new>
#include <stdexcept>
#include <system_error>
#include <tuple>
#include <utility>

#include "apps/command_line.h"
#include "apps/ranks.h"
#include "apps/stderr_reporter.h"
#include "fcm/base/error.h"
#include "fcm/base/text.h"
#include "fcm/base/threads.h"

namespace fcm::apps {
namespace {

constexpr int kInternalError = 1;

// Runs the command as one of several ranks. If this rank fails, the other ranks get the reason.
int run_in_group(const CommandLine& line, const dist::Placement& placement, Reporter& stderr_) {
  RankReporter reporter(stderr_, placement);
  keep_libtorch_quiet();
  const std::shared_ptr<dist::Process> process = join_ranks(placement, reporter);
  try {
    const int status = line.action({reporter, line.json, process});
    process->leave();
    return status;
  } catch (const dist::SharedError&) {
    process->leave();
    throw;
  } catch (const std::exception& error) {
    process->give_up(error.what());
    throw;
  }
}

// An error of the command line or of the environment. It is assumed that all ranks of a machine
// fail with the same error, before they join the group.
class ErrorOfAllRanks : public Error {
 public:
  using Error::Error;
};

// Parses the command line, and reads this process's rank from the environment. Throws
// ErrorOfAllRanks.
std::pair<CommandLine, dist::Placement> parse(const std::vector<std::string>& arguments) {
  try {
    CommandLine line = parse_command_line(arguments);
    const bool only_shows = !line.help.empty() || line.version;
    dist::Placement placement;
    if (!only_shows && line.command != "launch") placement = placement_of_process();
    return {std::move(line), placement};
  } catch (const Error& error) {
    throw ErrorOfAllRanks(error.code(), error.what());
  }
}

int run(const std::vector<std::string>& arguments, const std::function<void()>& before_work,
        dist::Placement& placement) {
  CommandLine line;
  std::tie(line, placement) = parse(arguments);
  if (print_help_or_version(line)) return 0;
  if (before_work && !line.command.starts_with("recipe ")) before_work();
  StderrReporter reporter(style_of_stderr(line.quiet));
  if (placement.size > 1 && line.in_group) return run_in_group(line, placement, reporter);
  if (placement.rank > 0) {
    reporter.info(fmt::format("{} is done by rank 0 alone; this process is rank {} of {} ({})",
                              line.command, placement.rank, placement.size, placement.source));
    return 0;
  }
  return line.action({reporter, line.json, dist::group_of_one(), line.quiet});
}

int end_with(int status, const std::string& message) {
  StderrReporter(style_of_stderr(false)).error(message);
  write_error_file(message);
  return status;
}

int end_with(ExitCode code, const std::string& message) {
  return end_with(static_cast<int>(code), message);
}

// The first rank of each machine prints the whole message. The other ranks of a machine print one
// line that refers to it. If the variables with the rank are left over from another program, this
// may be the only process, which would end silently without that line.
int end_of_all_ranks(const ErrorOfAllRanks& error) {
  dist::Placement placement;
  try {
    placement = placement_of_process();
  } catch (const Error&) {  // the rank of this process is unknown
  }
  if (placement.local_rank == 0) return end_with(error.code(), error.what());
  StderrReporter(style_of_stderr(false))
      .error(fmt::format("rank {} of {} ({}) ends with the error that the first rank of this "
                         "machine prints",
                         placement.rank, placement.size, placement.source));
  write_error_file(error.what());
  return static_cast<int>(error.code());
}

int internal_error(const std::exception& error) {
  const std::string text = error.what();
  const bool says_so = text.starts_with("internal error");
  return end_with(kInternalError, says_so ? text : "internal error, please report: " + text);
}

constexpr const char* kOutOfMemory =
    "out of memory; lower optim.micro_batch (or --batch), or close other programs";

constexpr const char* kOutOfDeviceMemory =
    "the GPU's memory is full; lower optim.micro_batch (or --batch), or check with nvidia-smi what "
    "else "
    "uses it";

// LibTorch's allocator throws a general error that can only be recognised by its text.
bool is_out_of_memory(const std::exception& error) {
  return std::strstr(error.what(), "can't allocate memory") != nullptr;
}

}  // namespace

int run_program(const std::vector<std::string>& arguments,
                const std::function<void()>& before_work) {
  dist::Placement placement;
  try {
    return run(arguments, before_work, placement);
  } catch (const dist::SharedError& error) {
    const bool says_it = placement.rank == 0 || error.code() == ExitCode::kPeerLost;
    if (!says_it) return static_cast<int>(error.code());
    return end_with(error.code(), with_rank(placement, error.what()));
  } catch (const ErrorOfAllRanks& error) {
    return end_of_all_ranks(error);
  } catch (const Error& error) {
    return end_with(error.code(), with_rank(placement, error.what()));
  } catch (const std::bad_alloc&) {
    return end_with(ExitCode::kDevice, kOutOfMemory);
  } catch (const std::length_error&) {  // a size beyond any container's limit
    return end_with(ExitCode::kDevice, kOutOfMemory);
  } catch (const std::filesystem::filesystem_error& error) {
    return end_with(ExitCode::kUsage,
                    fmt::format("cannot access {}: {}", printable(error.path1().string()),
                                error.code().message()));
  } catch (const c10::OutOfMemoryError&) {
    return end_with(ExitCode::kDevice, kOutOfDeviceMemory);
  } catch (const c10::AcceleratorError& error) {
    return end_with(ExitCode::kDevice,
                    fmt::format("the device failed: {}", error.what_without_backtrace()));
  } catch (const std::system_error& error) {
    if (error.code() != std::errc::resource_unavailable_try_again) return internal_error(error);
    return end_with(ExitCode::kDevice,
                    fmt::format("the system refuses more threads for this process ({}); give "
                                "fewer --threads, or raise that limit",
                                limits_of_threads()));
  } catch (const std::exception& error) {
    if (is_out_of_memory(error)) return end_with(ExitCode::kDevice, kOutOfMemory);
    return internal_error(error);
  }
}

}  // namespace fcm::apps
