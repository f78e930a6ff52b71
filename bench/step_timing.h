// Training steps of two implementations, timed in turns.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "bench/bench.h"
#include "bench/profile.h"
#include "bench/timed_group.h"
#include "fcm/base/reporter.h"
#include "fcm/base/stats.h"
#include "fcm/base/stopwatch.h"
#include "fcm/train/meters.h"

namespace fcm::bench {

// "min", "median", "max".
nlohmann::json to_json(const Spread& spread);

// Seconds of the parts of one step, in their order.
using Parts = std::vector<std::pair<std::string, double>>;

// Seconds since the step began.
struct PhaseSpan {
  std::string name;
  double begin = 0, end = 0;
};

// Each lap ends when the device has done what it was given.
class Laps {
 public:
  explicit Laps(at::Device device = at::kCPU) : device_(device) { train::wait_for(device_); }
  // What happened since the last call.
  void lap(const char* name);
  Parts parts;

 private:
  at::Device device_;
  Stopwatch watch_;
};

// What is in use of the main thread's heap, where all tensors of a step lie except scratch of
// worker threads. Resident memory would count what was freed on the way as well. On a GPU what its
// tensors take.
double allocated_bytes(at::Device device = at::kCPU);

// Something that can do a training step on the same images every time.
class Implementation {
 public:
  virtual ~Implementation() = default;
  virtual Parts step() = 0;

  Profile* profile = nullptr;

  std::vector<Parts> timed;
  double peak_memory = 0;
  std::vector<PhaseSpan> phases;  // of the last step, in their order; empty: it does not tell
  double kept_bytes = 0;          // allocated between the start of a step and its backward pass
};

struct StepFacts {
  int64_t threads = 0;
  at::ScalarType compute = at::kFloat;
  double flops_per_image = 0;
  int64_t parameters = 0;
  at::Device device = at::kCPU;
};

// The phases of one step, and meanwhile the sums of gradients, as SVG text.
std::string step_timeline(const std::vector<PhaseSpan>& phases, const std::vector<TimedSum>& sums,
                          const std::string& title);

// The result of bench_step. `timed`: the group of `fast`, nullptr where no timeline is asked for.
// `reference`: nullptr where it is not asked for.
nlohmann::json time_steps(const BenchStepRequest& request, Implementation& fast,
                          Implementation* reference, const StepFacts& facts, Reporter& reporter,
                          TimedGroup* timed = nullptr);

// bench_step of a recipe that trains a classifier.
nlohmann::json bench_classifier_step(const BenchStepRequest& request, const recipe::Recipe& recipe,
                                     at::Device device, int64_t threads, Reporter& reporter,
                                     TimedGroup* timed);
// One that trains a segmenter.
nlohmann::json bench_segmenter_step(const BenchStepRequest& request, const recipe::Recipe& recipe,
                                    at::Device device, int64_t threads, Reporter& reporter,
                                    TimedGroup* timed);
// One that trains a detector.
nlohmann::json bench_detector_step(const BenchStepRequest& request, const recipe::Recipe& recipe,
                                   at::Device device, int64_t threads, Reporter& reporter,
                                   TimedGroup* timed);

}  // namespace fcm::bench
