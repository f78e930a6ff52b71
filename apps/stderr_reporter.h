// Messages and progress on stderr.
#pragma once

#include <chrono>
#include <cstdio>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "fcm/base/reporter.h"

namespace fcm::apps {

struct ReporterStyle {
  bool quiet = false;     // print warnings and errors only
  bool terminal = false;  // true: progress rewrites one line; false: it prints new lines
  bool color = false;
  std::chrono::milliseconds progress_pause{5000};  // minimum time between progress lines without a
                                                   // terminal
  size_t columns = 0;  // width of the terminal, to which progress lines are cut; 0: unknown
  std::function<std::chrono::steady_clock::time_point()> now = std::chrono::steady_clock::now;
};

// The style for stderr: whether it is a terminal that can move its cursor (TERM), and NO_COLOR.
ReporterStyle style_of_stderr(bool quiet);

// Thread-safe. A message is always one line: line breaks in names are escaped (base/text.h). An
// error may have several lines. If the stream cannot be written, messages are dropped.
class StderrReporter final : public Reporter {
 public:
  explicit StderrReporter(const ReporterStyle& style, std::FILE* stream = stderr);
  ~StderrReporter() override;  // ends the last progress line, which stays visible
  StderrReporter(const StderrReporter&) = delete;
  StderrReporter& operator=(const StderrReporter&) = delete;

  void info(const std::string& line) override;
  void warn(const std::string& line) override;
  void error(const std::string& lines);
  void progress(const std::string& line) override;

 private:
  void print(const std::string& line);
  void print_labelled(const char* label, const char* color, const std::string& line);

  const ReporterStyle style_;
  std::FILE* const stream_;
  std::mutex mutex_;
  bool on_progress_line_ = false;
  std::optional<std::chrono::steady_clock::time_point> last_progress_;
};

}  // namespace fcm::apps
