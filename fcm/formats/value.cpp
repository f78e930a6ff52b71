#include "fcm/formats/value.h"

#include <algorithm>

namespace fcm::formats {

const Value* Value::find(std::string_view key) const {
  const Dict* dict = std::get_if<Dict>(&data);
  if (const auto* members = std::get_if<Namespace>(&data)) dict = &members->members;
  if (dict == nullptr) return nullptr;
  const auto found = std::find_if(dict->items.begin(), dict->items.end(), [&](const Item& item) {
    const auto* text = std::get_if<std::string>(&item.key.data);
    return text != nullptr && *text == key;
  });
  return found == dict->items.end() ? nullptr : &found->value;
}

}  // namespace fcm::formats
