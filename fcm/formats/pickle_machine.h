// Executes a pickle with an allow-list (pickle_globals.h) and budgets (pickle_graph.h). It can
// build plain data and descriptions of tensors, and can call nothing. Private to this folder.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "fcm/formats/pickle_graph.h"

namespace fcm::formats {

// Runs from the first byte to STOP; `bytes` may go on behind that. Throws Error(kCheckpoint), which
// names `what` (file and part of it), the place and the rule that does not hold.
PickleGraph run_pickle(std::span<const std::byte> bytes, const std::string& what);

}  // namespace fcm::formats
