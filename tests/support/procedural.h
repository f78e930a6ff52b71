// The tensor generator of reference/, in the namespace of the tests.
#pragma once

#include "reference/procedural.h"

namespace fcm::test {
using reference::procedural;
}  // namespace fcm::test
