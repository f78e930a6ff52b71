// Messages and progress on a stream that people watch.
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
  bool quiet = false;     // warnings only
  bool terminal = false;  // progress rewrites one line; otherwise it comes every few seconds
  bool color = false;
  std::chrono::milliseconds progress_pause{5000};  // at least, between lines off a terminal
  size_t columns = 0;  // of the terminal, beyond which progress is cut; 0: not known
  std::function<std::chrono::steady_clock::time_point()> now = std::chrono::steady_clock::now;
};

// What the environment asks for: a terminal that can move its cursor, NO_COLOR.
ReporterStyle style_of_stderr(bool quiet);

// May be called from several threads. A message is one line, whatever names it holds (base/text.h);
// that of an error may be several. Where the stream takes no more, messages are lost and no more.
class StderrReporter final : public Reporter {
 public:
  explicit StderrReporter(const ReporterStyle& style, std::FILE* stream = stderr);
  ~StderrReporter() override;  // leaves the last progress line standing
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
