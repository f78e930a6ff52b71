#include "fcm/formats/value.h"

#include <algorithm>

namespace fcm::formats {

const Value::Dict* Value::entries() const {
  if (const auto* space = std::get_if<Namespace>(&data)) return &space->members;
  if (const auto* opaque = std::get_if<Opaque>(&data)) return &opaque->members;
  return std::get_if<Dict>(&data);
}

const Value* Value::find(std::string_view key) const {
  const Dict* dict = entries();
  if (dict == nullptr) return nullptr;
  const auto found = std::find_if(dict->items.begin(), dict->items.end(), [&](const Item& item) {
    const auto* text = std::get_if<std::string>(&item.key.data);
    return text != nullptr && *text == key;
  });
  return found == dict->items.end() ? nullptr : &found->value;
}

}  // namespace fcm::formats
