// Where the time of a training step goes.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "fcm/ops/part.h"

namespace fcm::bench {

// Time of the operators called on this thread while the object lives: our own by name (ops/part.h),
// LibTorch's outside of them by theirs. Nested ones count for the outermost. One at a time.
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

  // What comes under no name ("") is left out.
  void phase(const char* name) override;

  // Rows, longest first: phase, part, calls, seconds, share of all, and gflops or gbytes_per_second
  // with the share of the peak where the work is known. Operators that matter
  // little share a row, and what no operator accounts for is "not named", each once a phase. Shares
  // add up to 1.
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
