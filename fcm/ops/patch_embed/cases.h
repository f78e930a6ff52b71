// Shapes for tests and benchmarks.
#pragma once

#include "fcm/ops/case.h"

namespace fcm::ops {

OpCases patch_embed_cases();

}  // namespace fcm::ops
