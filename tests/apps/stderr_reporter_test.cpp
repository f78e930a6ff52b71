#include "apps/stderr_reporter.h"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>

namespace fcm::apps {
namespace {

// The output of a reporter with this style.
std::string written(const ReporterStyle& style,
                    const std::function<void(StderrReporter&)>& messages) {
  char* text = nullptr;
  size_t size = 0;
  std::FILE* stream = ::open_memstream(&text, &size);
  {
    StderrReporter reporter(style, stream);
    messages(reporter);
  }
  std::fclose(stream);
  std::string result(text, size);
  std::free(text);
  return result;
}

void one_of_each(StderrReporter& reporter) {
  reporter.info("info");
  reporter.progress("1 of 2");
  reporter.progress("2 of 2");
  reporter.warn("careful");
}

TEST(StderrReporter, WritesPlainLinesOffATerminal) {
  EXPECT_EQ(written({}, one_of_each), "info\n1 of 2\nwarning: careful\n");
}

TEST(StderrReporter, ProgressComesAgainAfterThePause) {
  ReporterStyle style;
  style.progress_pause = std::chrono::milliseconds(0);
  EXPECT_EQ(written(style, one_of_each), "info\n1 of 2\n2 of 2\nwarning: careful\n");
}

TEST(StderrReporter, ProgressComesEveryFewSecondsOffATerminal) {
  ReporterStyle style;
  std::chrono::steady_clock::time_point now{};
  style.now = [&] { return now; };
  const std::string lines = written(style, [&](StderrReporter& reporter) {
    for (int second = 0; second <= 12; ++second) {
      reporter.progress(std::to_string(second));
      now += std::chrono::seconds(1);
    }
  });
  EXPECT_EQ(lines, "0\n5\n10\n");
}

TEST(StderrReporter, CutsProgressToTheTerminal) {
  ReporterStyle style;
  style.terminal = true;
  style.columns = 8;
  const auto line_of = [&](const char* text) {
    return written(style, [&](StderrReporter& reporter) { reporter.progress(text); });
  };
  EXPECT_EQ(line_of("1234567"), "\r\x1b[K1234567\n");
  EXPECT_EQ(line_of("12345678"), "\r\x1b[K1234567\n");
  EXPECT_EQ(line_of("größe größe"), "\r\x1b[Kgröße g\n")
      << "the width counts characters, not bytes";
}

TEST(StderrReporter, RewritesOneLineOnATerminal) {
  ReporterStyle style;
  style.terminal = true;
  EXPECT_EQ(written(style, one_of_each),
            "info\n\r\x1b[K1 of 2\r\x1b[K2 of 2\r\x1b[Kwarning: careful\n");
  EXPECT_EQ(written(style, [](StderrReporter& reporter) { reporter.progress("done"); }),
            "\r\x1b[Kdone\n")
      << "the last progress line must stay";
}

TEST(StderrReporter, ColorsOnlyLabels) {
  ReporterStyle style;
  style.terminal = style.color = true;
  EXPECT_EQ(written(style, [](StderrReporter& reporter) { reporter.warn("careful"); }),
            "\x1b[33mwarning: \x1b[0mcareful\n");
}

TEST(StderrReporter, QuietLeavesWarnings) {
  ReporterStyle style;
  style.quiet = true;
  EXPECT_EQ(written(style, one_of_each), "warning: careful\n");
}

TEST(StyleOfStderr, HasNoColorOffATerminal) {
  // Tests run with stderr in a file, a pipe or a terminal; only a terminal gets color.
  const ReporterStyle style = style_of_stderr(true);
  EXPECT_TRUE(style.quiet);
  EXPECT_TRUE(style.terminal || !style.color);
}

}  // namespace
}  // namespace fcm::apps
