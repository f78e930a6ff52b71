#pragma once

#include "fcm/ops/case.h"

namespace fcm::ops {

OpCases norm_gelu_cases();

}  // namespace fcm::ops
