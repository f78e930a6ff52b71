// The six cases of a file of stored tensors: two paths, each in float32, float64 and bfloat16.
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
  PublishedModel model;
  Tensors stored;
  std::function<Run(Path, Types)> run;
};

std::vector<CaseResult> in_three_types(const Entry& entry, const Request& request,
                                       const std::function<Subject()>& make);

}  // namespace fcm::parity
