// The program. Commands live in fcm/tasks; here errors become exit statuses.
#include <cstring>
#include <exception>
#include <new>

#include "apps/command_line.h"
#include "apps/commands.h"
#include "apps/results.h"
#include "apps/stderr_reporter.h"
#include "apps/version.h"
#include "fcm/base/error.h"

namespace {

using fcm::ExitCode;

constexpr int kInternalError = 1;

int run(const std::vector<std::string>& arguments) {
  const fcm::apps::CommandLine line = fcm::apps::parse_command_line(arguments);
  if (line.help) {
    fcm::apps::print_text(*line.help);
    return 0;
  }
  if (line.options.version) {
    fcm::apps::print_version(line.options.json);
    return 0;
  }
  fcm::apps::StderrReporter reporter(fcm::apps::style_of_stderr(line.options.quiet));
  return fcm::apps::run_command(line.options, reporter);
}

int report_error(ExitCode code, const char* message) {
  fcm::apps::StderrReporter(fcm::apps::style_of_stderr(false)).error(message);
  return static_cast<int>(code);
}

constexpr const char* kOutOfMemory =
    "out of memory; lower optim.micro_batch (or --batch), or close other programs";

// LibTorch's allocator throws a general error; only its text tells.
bool is_out_of_memory(const std::exception& error) {
  return std::strstr(error.what(), "can't allocate memory") != nullptr;
}

}  // namespace

int main(int count, char** values) {
  try {
    return run({values + 1, values + count});
  } catch (const fcm::Error& error) {
    return report_error(error.code(), error.what());
  } catch (const std::bad_alloc&) {
    return report_error(ExitCode::kDevice, kOutOfMemory);
  } catch (const std::exception& error) {
    if (is_out_of_memory(error)) return report_error(ExitCode::kDevice, kOutOfMemory);
    const std::string text = error.what();
    const bool says_so = text.starts_with("internal error");
    report_error(ExitCode::kDone,
                 (says_so ? text : "internal error, please report: " + text).c_str());
    return kInternalError;
  }
}
