#include "fcm/formats/json_text.h"

#include "fcm/base/text.h"

namespace fcm::formats {
namespace {

bool is_all_utf8(const nlohmann::json& value) {
  if (value.is_string()) return is_utf8(value.get_ref<const std::string&>());
  for (const auto& [key, inner] : value.items()) {
    if (value.is_structured() && (!is_utf8(key) || !is_all_utf8(inner))) return false;
  }
  return true;
}

nlohmann::json escaped(const nlohmann::json& value) {
  if (value.is_string()) return escape_non_utf8(value.get_ref<const std::string&>());
  if (!value.is_structured()) return value;
  nlohmann::json result = value.is_array() ? nlohmann::json::array() : nlohmann::json::object();
  for (const auto& [key, inner] : value.items()) {
    if (value.is_array()) {
      result.push_back(escaped(inner));
    } else {
      result[escape_non_utf8(key)] = escaped(inner);
    }
  }
  return result;
}

}  // namespace

std::string json_text(const nlohmann::json& value, int indent) {
  return is_all_utf8(value) ? value.dump(indent) : escaped(value).dump(indent);
}

}  // namespace fcm::formats
