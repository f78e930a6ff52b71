// Shapes for tests and benchmarks.
#pragma once

#include "fcm/ops/case.h"

namespace fcm::ops {

OpCases attention_cases();

}  // namespace fcm::ops
