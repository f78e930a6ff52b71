// From a parsed value to a field of an options struct.
#pragma once

#include <string>

#include "fcm/config/fields.h"
#include "fcm/config/toml_document.h"

namespace fcm::config {

// Stores the value if it is of the field's kind and allowed. Returns what is wrong with it, else
// "".
std::string assign(const Field& field, const Value& value);

}  // namespace fcm::config
