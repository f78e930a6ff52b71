// This process as one of several that were started together.
#pragma once

#include <memory>

#include "fcm/base/reporter.h"
#include "fcm/dist/placement.h"
#include "fcm/dist/process_group.h"

namespace fcm::apps {

// As the environment says. Throws Error(kUsage) where it contradicts itself.
dist::Placement placement_of_process();

// What c10d has to say while it tries again, or when a rank is lost, comes with pages of addresses;
// the errors that follow say it in a sentence. TORCH_CPP_LOG_LEVEL brings it back.
void keep_libtorch_quiet();

// Meets the others. From then on the loss of one of them ends this process with exit status 7.
std::shared_ptr<dist::Process> join_ranks(const dist::Placement& placement, Reporter& reporter);

// Errors as torchrun wants to be told of them: JSON in the file that TORCHELASTIC_ERROR_FILE names.
// Nothing where it names none, or where it cannot be written.
void write_error_file(const std::string& message);

// Messages of a rank: those of rank 0 as they are; of the others warnings alone, with the rank
// before them.
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

// "rank 1: " in front of what a rank other than 0 says.
std::string said_by(const dist::Placement& placement, const std::string& line);

}  // namespace fcm::apps
