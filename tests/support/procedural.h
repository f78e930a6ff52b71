// The tensors from names and seeds, under the name tests know them by.
#pragma once

#include "reference/procedural.h"

namespace fcm::test {
using reference::procedural;
}  // namespace fcm::test
