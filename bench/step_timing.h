// Training steps of two implementations, timed alternately.
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

// Seconds of the parts of one step, in order.
using Parts = std::vector<std::pair<std::string, double>>;

// Times in seconds since the start of the step.
struct PhaseSpan {
  std::string name;
  double begin = 0, end = 0;
};

// Each lap ends when the device has finished its work.
class Laps {
 public:
  explicit Laps(at::Device device = at::kCPU) : device_(device) { train::wait_for(device_); }
  // Adds the time since the last call under `name`.
  void lap(const char* name);
  Parts parts;

 private:
  at::Device device_;
  Stopwatch watch_;
};

// Bytes in use on the heap, where all tensors of a step are. Freed memory does not count, unlike in
// the resident size. On a GPU: the bytes of its tensors.
double allocated_bytes(at::Device device = at::kCPU);

// A training step that uses the same images every time.
class Implementation {
 public:
  virtual ~Implementation() = default;
  virtual Parts step() = 0;

  Profile* profile = nullptr;

  std::vector<Parts> timed;
  double peak_memory = 0;
  std::vector<PhaseSpan> phases;  // of the last step, in order; empty: not available
  double saved_bytes = 0;         // allocated between the start of a step and its backward pass
};

struct StepFacts {
  int64_t threads = 0;
  at::ScalarType compute = at::kFloat;
  double flops_per_image = 0;
  int64_t parameters = 0;
  at::Device device = at::kCPU;
};

// The phases of one step and the all-reduces during it, as SVG text.
std::string step_timeline(const std::vector<PhaseSpan>& phases,
                          const std::vector<TimedAllReduce>& sums, const std::string& title);

// The result of bench_step. `timed`: the group of `fast`; nullptr: no timeline. `reference`:
// nullptr: not measured.
nlohmann::json time_steps(const BenchStepRequest& request, Implementation& fast,
                          Implementation* reference, const StepFacts& facts, Reporter& reporter,
                          TimedGroup* timed = nullptr);

// bench_step for a classifier's recipe.
nlohmann::json bench_classifier_step(const BenchStepRequest& request, const recipe::Recipe& recipe,
                                     at::Device device, int64_t threads, Reporter& reporter,
                                     TimedGroup* timed);
// bench_step for a segmenter's recipe.
nlohmann::json bench_segmenter_step(const BenchStepRequest& request, const recipe::Recipe& recipe,
                                    at::Device device, int64_t threads, Reporter& reporter,
                                    TimedGroup* timed);
// bench_step for a detector's recipe.
nlohmann::json bench_detector_step(const BenchStepRequest& request, const recipe::Recipe& recipe,
                                   at::Device device, int64_t threads, Reporter& reporter,
                                   TimedGroup* timed);

}  // namespace fcm::bench
