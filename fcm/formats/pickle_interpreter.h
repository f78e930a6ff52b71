// Executes a pickle with an allow-list (pickle_globals.h) and budgets (pickle_graph.h). It builds
// plain data and descriptions of tensors, and calls no Python. Private to this folder.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "fcm/formats/pickle_graph.h"

namespace fcm::formats {

// Executes `bytes` up to STOP; more bytes may follow. Throws Error(kCheckpoint), which names `what`
// (file and part), the byte and the violated rule.
PickleGraph run_pickle(std::span<const std::byte> bytes, const std::string& what);

}  // namespace fcm::formats
