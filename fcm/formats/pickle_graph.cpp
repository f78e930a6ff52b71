#include "fcm/formats/pickle_graph.h"

#include <fmt/format.h>

#include <algorithm>

#include "fcm/formats/safetensors_header.h"

namespace fcm::formats {

std::string PickleGraph::opaque_name(const Node& opaque) const {
  switch (static_cast<OpaqueKind>(opaque.length)) {
    case OpaqueKind::kObject:
      return opaque_name(nodes[containers[opaque.value][0]]);
    case OpaqueKind::kGlobalByLine: {
      const std::string_view rest(reinterpret_cast<const char*>(pickle.data()) + opaque.value,
                                  std::min(pickle.size() - opaque.value, 2 * kMaxNameBytes));
      const size_t module = rest.find('\n'), name = rest.find('\n', module + 1);
      return fmt::format("{}.{}", rest.substr(0, module),
                         rest.substr(module + 1, name - module - 1));
    }
    case OpaqueKind::kGlobalByTexts: {
      const std::vector<NodeRef>& texts = containers[opaque.value];
      return fmt::format("{}.{}", text(nodes[texts[0]]), text(nodes[texts[1]]));
    }
    case OpaqueKind::kLongNumber:
      return "an integer of more than 8 bytes; at most 8 are read";
    case OpaqueKind::kHooks:
      return "a tensor with backward hooks";
    case OpaqueKind::kMetadata:
      return "a tensor with metadata";
    case OpaqueKind::kTensorOfOpaque:
      return "a tensor with parts that are not read";
    case OpaqueKind::kStorageType:
      return "a storage of a type that is not read";
    case OpaqueKind::kTensorType:
      return "a tensor of " + opaque_name(nodes[containers[opaque.value][0]]);
    case OpaqueKind::kQuantised:
      return "a tensor of integers with scales (quantised)";
  }
  return {};
}

std::string PickleGraph::opaque_reason(const Node& opaque) const {
  const std::string name = opaque_name(opaque);
  const bool named = opaque.length <= static_cast<uint32_t>(OpaqueKind::kGlobalByTexts);
  return named ? fmt::format("global {} is not allowed", shown(name)) : name;
}

}  // namespace fcm::formats
