// Values of recipe keys as JSON.
#pragma once

#include <nlohmann/json.hpp>

#include "fcm/config/fields.h"

namespace fcm::apps::commands {

nlohmann::json json_of(const config::Field& field);

}  // namespace fcm::apps::commands
