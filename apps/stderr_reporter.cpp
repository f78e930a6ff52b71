#include "apps/stderr_reporter.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "fcm/base/text.h"

namespace fcm::apps {
namespace {

constexpr const char* kEraseLine = "\r\x1b[K";
constexpr const char* kPlain = "\x1b[0m";
constexpr const char* kYellow = "\x1b[33m";
constexpr const char* kRed = "\x1b[31m";

// Cuts a line to the width of the terminal, less one column: a line that wraps cannot be rewritten
// in place.
std::string cut(const std::string& line, size_t columns) {
  if (columns == 0) return line;
  size_t seen = 0;
  for (size_t i = 0; i < line.size(); ++i) {
    const bool begins = (static_cast<unsigned char>(line[i]) & 0xC0) != 0x80;
    if (begins && ++seen == columns) return line.substr(0, i);
  }
  return line;
}

size_t columns_of_stderr() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

}  // namespace

ReporterStyle style_of_stderr(bool quiet) {
  const char* term = std::getenv("TERM");
  const char* no_color = std::getenv("NO_COLOR");
  ReporterStyle style;
  style.quiet = quiet;
  style.terminal =
      ::isatty(STDERR_FILENO) == 1 && term != nullptr && std::strcmp(term, "dumb") != 0;
  if (style.terminal) style.columns = columns_of_stderr();
  style.color = style.terminal && (no_color == nullptr || *no_color == '\0');  // no-color.org
  return style;
}

StderrReporter::StderrReporter(const ReporterStyle& style, std::FILE* stream)
    : style_(style), stream_(stream) {}

StderrReporter::~StderrReporter() {
  if (on_progress_line_) std::fputc('\n', stream_);
}

void StderrReporter::info(const std::string& line) {
  if (!style_.quiet) print(printable(line));
}

void StderrReporter::warn(const std::string& line) {
  print_labelled("warning: ", kYellow, printable(line));
}

void StderrReporter::error(const std::string& lines) {
  print_labelled("error: ", kRed, printable(lines, Lines::kMany));
}

void StderrReporter::progress(const std::string& line) {
  if (style_.quiet) return;
  const std::lock_guard lock(mutex_);
  if (style_.terminal) {
    std::fprintf(stream_, "%s%s", kEraseLine, cut(printable(line), style_.columns).c_str());
    on_progress_line_ = true;
  } else {
    const auto now = style_.now();
    if (last_progress_ && now - *last_progress_ < style_.progress_pause) return;
    last_progress_ = now;
    std::fprintf(stream_, "%s\n", printable(line).c_str());
  }
  std::fflush(stream_);
}

void StderrReporter::print(const std::string& line) {
  const std::lock_guard lock(mutex_);
  std::fprintf(stream_, "%s%s\n", on_progress_line_ ? kEraseLine : "", line.c_str());
  on_progress_line_ = false;
  std::fflush(stream_);
}

void StderrReporter::print_labelled(const char* label, const char* color, const std::string& line) {
  print(style_.color ? std::string(color) + label + kPlain + line : label + line);
}

}  // namespace fcm::apps
