// Receives the library's messages. The library never prints; its caller passes a Reporter.
#pragma once

#include <string>

namespace fcm {

class Reporter {
 public:
  virtual ~Reporter() = default;
  virtual void info(const std::string& line) = 0;
  virtual void warn(const std::string& line) = 0;
  virtual void progress(const std::string& line) = 0;  // replaces the previous progress line
};

class SilentReporter final : public Reporter {
 public:
  void info(const std::string&) override {}
  void warn(const std::string&) override {}
  void progress(const std::string&) override {}
};

}  // namespace fcm
