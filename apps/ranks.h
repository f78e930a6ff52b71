// Runs this process as one of several ranks.
#pragma once

#include <memory>

#include "fcm/base/reporter.h"
#include "fcm/dist/placement.h"
#include "fcm/dist/process_group.h"

namespace fcm::apps {

// Reads the placement from the environment. Throws Error(kUsage) if its variables are inconsistent.
dist::Placement placement_of_process();

// Silences LibTorch's logs. Those of c10d print pages of addresses when it retries or a rank is
// lost, which our own messages report in one sentence. To see the logs, set TORCH_CPP_LOG_LEVEL.
void keep_libtorch_quiet();

// Joins the group. From then on the loss of a rank ends this process with exit status 7.
std::shared_ptr<dist::Process> join_ranks(const dist::Placement& placement, Reporter& reporter);

// Reports an error to torchrun: JSON in the file that TORCHELASTIC_ERROR_FILE names. Does nothing
// if the variable is not set or the file cannot be written.
void write_error_file(const std::string& message);

// Passes on all messages of rank 0, and only the warnings of other ranks, with the rank in front.
class RankReporter final : public Reporter {
 public:
  RankReporter(Reporter& to, const dist::Placement& placement) : to_(to), placement_(placement) {}

  void info(const std::string& line) override;
  void warn(const std::string& line) override;
  void progress(const std::string& line) override;

 private:
  Reporter& to_;
  const dist::Placement& placement_;
};

// Prefixes `line` with "rank N: " for ranks other than 0.
std::string with_rank(const dist::Placement& placement, const std::string& line);

}  // namespace fcm::apps
