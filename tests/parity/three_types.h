// The six cases of a file of stored tensors: two paths, each in float32, float64 and bfloat16. The
// two in bfloat16 are left out where they take minutes.
#pragma once

#include <functional>

#include "tests/parity/cases.h"
#include "tests/parity/run.h"

namespace fcm::parity {

constexpr Types kFp32{at::kFloat, at::kFloat};
constexpr Types kFp64{at::kDouble, at::kDouble};
constexpr Types kBf16{at::kFloat, at::kBFloat16};

inline const char* path_name(Path path) { return path == Path::kFast ? "fast" : "reference"; }

struct Subject {
  int64_t blocks = 0;  // of the network, decoder included; sets the bound of bfloat16
  Tensors stored;
  std::function<Run(Path, Types)> run;
  bool from_float64 = false;  // the stored tensors are a float64 run, rounded
  // For an L1 loss, whose gradient consists of signs: the number of hidden patches. 0 for other
  // losses.
  int64_t signs = 0;
  // For an L1 loss: the share of the signs in which two runs differ.
  std::function<double(const Run&, const Run&)> changed_signs = {};
};
int64_t blocks_of(const PublishedModel& model);

std::vector<CaseResult> in_three_types(const Entry& entry, const Request& request,
                                       const std::function<Subject()>& make);

}  // namespace fcm::parity
