// Profile of a training step: time by operator.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "fcm/ops/profile_scope.h"

namespace fcm::bench {

// Times the operators called on this thread while the object exists: ours by name
// (ops/profile_scope.h), and LibTorch's outside of ours. The time of a nested operator counts for
// the outermost one. Only one object may exist on a thread at a time.
class Profile : public ops::WorkListener {
 public:
  struct Line {
    int64_t calls = 0;
    double seconds = 0, flops = 0, bytes = 0;
  };

  Profile();
  ~Profile() override;
  Profile(const Profile&) = delete;
  Profile& operator=(const Profile&) = delete;

  // Starts a phase; the time of a phase named "" is not counted.
  void phase(const char* name) override;

  // Rows, longest first: phase, part, calls, seconds, share of the total, gflops, gbytes_per_second
  // and share of the peak (these three are 0 where the work is unknown). Small operators share a
  // row, and time outside of operators is "not named", each once per phase. Shares add up to 1.
  nlohmann::json table(double peak_flops, double peak_bytes_per_second) const;

  void begin() override;
  void end(const ops::Work& work) override;

 private:
  std::map<std::pair<std::string, std::string>, Line> lines_;  // by phase and part
  std::map<std::string, double> seconds_;                      // by phase
  std::string phase_;
  double since_ = 0;
  int64_t depth_ = 0;
  double outermost_since_ = 0;
  uint64_t handle_ = 0;
};

}  // namespace fcm::bench
