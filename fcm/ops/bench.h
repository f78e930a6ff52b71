// Times operators on the shapes of their case tables.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>
#include <vector>

namespace fcm::ops {

struct OpTiming {
  std::string op;
  std::string case_name;
  std::string pass;         // "forward" or "forward_backward"
  std::string dtype;        // "float32" or "bfloat16"
  double microseconds = 0;  // median of one call
  double least_microseconds = 0, most_microseconds = 0;
  double gbytes_per_second = 0;  // each element of inputs and result moved once; a backward pass
                                 // counts as one and a half forward passes
  double gflops = 0;             // a backward pass counts as two forward passes
  double reference_ratio = 0;    // median time of the reference / of ours, measured alternately
  std::optional<double> library_ratio;  // the same for LibTorch's operator, if the case has one
};

// Times the benchmark cases whose "op/case" contains `filter` (empty: all), in float32 and
// bfloat16, for about `seconds_per_case` each: at least three calls of our operator and one of the
// reference, with LibTorch's current thread count. On a GPU each call is timed until the GPU has
// finished. Nothing else should run on the machine.
std::vector<OpTiming> time_ops(const std::string& filter, double seconds_per_case,
                               at::Device device = at::kCPU);

}  // namespace fcm::ops
