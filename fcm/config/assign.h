// Stores a parsed value in a field of an options struct.
#pragma once

#include <string>

#include "fcm/config/fields.h"
#include "fcm/config/toml_document.h"

namespace fcm::config {

// Stores the value if its type fits and it is allowed, and returns ""; otherwise returns what is
// wrong.
std::string assign(const Field& field, const Value& value);

}  // namespace fcm::config
