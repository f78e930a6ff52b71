// Version, build and libraries of this program.
#pragma once

#include <nlohmann/json.hpp>

namespace fcm::apps {

nlohmann::json version_facts();
void print_version(bool as_json);

}  // namespace fcm::apps
