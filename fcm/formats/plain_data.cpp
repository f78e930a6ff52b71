#include "fcm/formats/plain_data.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

namespace fcm::formats {
namespace {

using nlohmann::json;

json array_of(const Value::List& items) {
  json array = json::array();
  for (const Value& item : items) array.push_back(to_json(item));
  return array;
}

json object_of(const Value::Dict& dict) {
  json object = json::object();
  for (const auto& [key, value] : dict.items) {
    const auto* text = std::get_if<std::string>(&key.data);
    object[text != nullptr ? *text : to_json(key).dump()] = to_json(value);
  }
  return object;
}

struct ToJson {
  json operator()(std::monostate) const { return nullptr; }
  json operator()(bool value) const { return value; }
  json operator()(int64_t value) const { return value; }
  json operator()(double value) const {
    if (std::isfinite(value)) return value;
    return fmt::format("{}", value);
  }
  json operator()(const std::string& text) const { return text; }
  json operator()(const Value::Bytes& bytes) const {
    return fmt::format("{} bytes", bytes.data.size());
  }
  json operator()(const Value::List& list) const { return array_of(list); }
  json operator()(const Value::Tuple& tuple) const { return array_of(tuple.items); }
  json operator()(const Value::Dict& dict) const { return object_of(dict); }
  json operator()(const Value::Size& size) const { return size.extents; }
  json operator()(const Value::Namespace& space) const { return object_of(space.members); }
  json operator()(const Value::Path& path) const { return path.text; }
  json operator()(const Value::Opaque& opaque) const { return opaque.what + " (not read)"; }
  json operator()(const Value::Tensor&) const { return "a tensor"; }
};

}  // namespace

json to_json(const Value& value) { return std::visit(ToJson{}, value.data); }

Value from_json(const json& value) {
  switch (value.type()) {
    case json::value_t::boolean:
      return {value.get<bool>()};
    case json::value_t::number_integer:
    case json::value_t::number_unsigned:
      return {value.get<int64_t>()};
    case json::value_t::number_float:
      return {value.get<double>()};
    case json::value_t::string:
      return {value.get<std::string>()};
    case json::value_t::array: {
      Value::List list;
      for (const auto& item : value) list.push_back(from_json(item));
      return {std::move(list)};
    }
    case json::value_t::object: {
      Value::Dict dict;
      for (const auto& [key, item] : value.items()) {
        dict.items.push_back({Value{key}, from_json(item)});
      }
      return {std::move(dict)};
    }
    default:
      return {};
  }
}

}  // namespace fcm::formats
