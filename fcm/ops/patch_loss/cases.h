#pragma once

#include "fcm/ops/case.h"

namespace fcm::ops {

OpCases patch_loss_cases();

}  // namespace fcm::ops
