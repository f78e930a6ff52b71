// Shapes for tests and benchmarks.
#pragma once

#include "fcm/ops/case.h"

namespace fcm::ops {

OpCases norm_linear_cases();

}  // namespace fcm::ops
