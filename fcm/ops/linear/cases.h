// Shapes for tests and benchmarks.
#pragma once

#include "fcm/ops/case.h"

namespace fcm::ops {

OpCases linear_cases();

}  // namespace fcm::ops
