// The tensor generator of the reference, under the name that tests use.
#pragma once

#include "reference/procedural.h"

namespace fcm::test {
using reference::procedural;
}  // namespace fcm::test
