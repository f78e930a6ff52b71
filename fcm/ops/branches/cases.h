#pragma once

#include "fcm/ops/case.h"

namespace fcm::ops {

OpCases branches_cases();

}  // namespace fcm::ops
