// A reporter that records all messages.
#pragma once

#include <string>
#include <vector>

#include "fcm/base/reporter.h"

namespace fcm::test {

class RecordingReporter final : public Reporter {
 public:
  void info(const std::string& line) override { infos.push_back(line); }
  void warn(const std::string& line) override { warnings.push_back(line); }
  void progress(const std::string&) override {}
  std::vector<std::string> infos, warnings;
};

}  // namespace fcm::test
