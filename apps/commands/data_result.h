// Shared by `data verify` and `data pack`: how they end.
#pragma once

#include <nlohmann/json.hpp>

#include "apps/command.h"

namespace fcm::apps::commands {

// Prints the result; returns exit status 3 if an image or a label is bad.
int print_data_result(nlohmann::json result, const Output& output);

}  // namespace fcm::apps::commands
