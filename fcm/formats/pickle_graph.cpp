#include "fcm/formats/pickle_graph.h"

#include <fmt/format.h>

#include <algorithm>

#include "fcm/formats/safetensors_header.h"

namespace fcm::formats {

std::string PickleGraph::name_unread(const Node& opaque) const {
  switch (static_cast<Unread>(opaque.length)) {
    case Unread::kObject:
      return name_unread(nodes[containers[opaque.value][0]]);
    case Unread::kLine: {
      const std::string_view rest(reinterpret_cast<const char*>(pickle.data()) + opaque.value,
                                  std::min(pickle.size() - opaque.value, 2 * kMaxNameBytes));
      const size_t module = rest.find('\n'), name = rest.find('\n', module + 1);
      return fmt::format("{}.{}", rest.substr(0, module),
                         rest.substr(module + 1, name - module - 1));
    }
    case Unread::kTexts: {
      const std::vector<NodeRef>& texts = containers[opaque.value];
      return fmt::format("{}.{}", text(nodes[texts[0]]), text(nodes[texts[1]]));
    }
    case Unread::kLongNumber:
      return "an integer of more than 8 bytes; at most 8 are read";
    case Unread::kHooks:
      return "a tensor with backward hooks";
    case Unread::kMetadata:
      return "a tensor with metadata";
    case Unread::kPartsUnread:
      return "a tensor with parts that are not read";
    case Unread::kStorageType:
      return "a storage of a type that is not read";
    case Unread::kTensorType:
      return "a tensor of " + name_unread(nodes[containers[opaque.value][0]]);
    case Unread::kQuantised:
      return "a tensor of integers with scales (quantised)";
  }
  return {};
}

std::string PickleGraph::why_unread(const Node& opaque) const {
  const std::string name = name_unread(opaque);
  const bool named = opaque.length <= static_cast<uint32_t>(Unread::kTexts);
  return named ? fmt::format("global {} is not allowed", shown(name)) : name;
}

}  // namespace fcm::formats
