#include "fcm/formats/pickle_calls.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "fcm/formats/pickle_globals.h"
#include "fcm/formats/safetensors_header.h"

namespace fcm::formats {
namespace {

using Refs = std::span<const NodeRef>;

CallResult refused(std::string reason) { return {{}, std::move(reason)}; }

std::optional<Refs> tuple_items(const PickleGraph& graph, NodeRef ref) {
  const Node& node = graph.nodes[ref];
  if (node.kind != NodeKind::kTuple && node.kind != NodeKind::kSize) return std::nullopt;
  return graph.items(node);
}

std::optional<int64_t> whole_number(const PickleGraph& graph, NodeRef ref) {
  const Node& node = graph.nodes[ref];
  if (node.kind != NodeKind::kInt) return std::nullopt;
  return static_cast<int64_t>(node.value);
}

bool are_extents(const PickleGraph& graph, NodeRef ref) {
  const std::optional<Refs> items = tuple_items(graph, ref);
  return items && items->size() <= kMaxDimensions &&
         std::all_of(items->begin(), items->end(),
                     [&](NodeRef item) { return whole_number(graph, item).has_value(); });
}

bool is_bool(const PickleGraph& graph, NodeRef ref) {
  return graph.nodes[ref].kind == NodeKind::kBool;
}

// Hooks and metadata would change what a tensor means, so tensors are read only if both are empty.
bool is_empty_dict(const PickleGraph& graph, NodeRef ref) {
  const Node& node = graph.nodes[ref];
  return (node.kind == NodeKind::kOrderedDict || node.kind == NodeKind::kDict) &&
         graph.items(node).empty();
}

bool is_nothing(const PickleGraph& graph, NodeRef ref) {
  return graph.nodes[ref].kind == NodeKind::kNone || is_empty_dict(graph, ref);
}

bool is_opaque(const PickleGraph& graph, NodeRef ref) {
  return graph.nodes[ref].kind == NodeKind::kOpaque;
}

bool any_opaque(const PickleGraph& graph, Refs refs) {
  return std::any_of(refs.begin(), refs.end(), [&](NodeRef ref) { return is_opaque(graph, ref); });
}

CallResult rebuild_tensor(PickleGraph& graph, Refs arguments, bool v2) {
  const size_t count = arguments.size();
  if (v2 ? count != 6 && count != 7 : count != 4) {
    return refused(fmt::format("_rebuild_tensor with {} arguments", count));
  }
  if (const Node& first = graph.nodes[arguments[0]];
      first.kind == NodeKind::kOpaque &&
      first.length == static_cast<uint32_t>(OpaqueKind::kStorageType)) {
    return {opaque_node(OpaqueKind::kTensorType, first.value), {}};
  }
  if (any_opaque(graph, arguments)) return {opaque_node(OpaqueKind::kTensorOfOpaque), {}};
  const Node& storage = graph.nodes[arguments[0]];
  const auto offset = whole_number(graph, arguments[1]);
  if (storage.kind != NodeKind::kStorage || !offset || !are_extents(graph, arguments[2]) ||
      !are_extents(graph, arguments[3])) {
    return refused(
        fmt::format("_rebuild_tensor expects a storage, an offset, and sizes and strides of at "
                    "most {} integers",
                    kMaxDimensions));
  }
  if (v2 && (!is_bool(graph, arguments[4]) || !is_nothing(graph, arguments[5]))) {
    return {opaque_node(OpaqueKind::kHooks), {}};
  }
  if (count == 7 && !is_nothing(graph, arguments[6])) {
    return {opaque_node(OpaqueKind::kMetadata), {}};
  }
  graph.tensors.push_back(
      {storage.value, *offset, graph.nodes[arguments[2]].value, graph.nodes[arguments[3]].value});
  return {{NodeKind::kTensor, 0, graph.tensors.size() - 1}, {}};
}

// Whether an opaque node stands for a tensor or a storage.
bool is_opaque_tensor(const PickleGraph& graph, NodeRef ref) {
  return is_opaque(graph, ref) &&
         graph.nodes[ref].length >= static_cast<uint32_t>(OpaqueKind::kHooks);
}

CallResult rebuild_parameter(const PickleGraph& graph, Refs arguments) {
  if (!arguments.empty() && is_opaque_tensor(graph, arguments[0])) {
    return {graph.nodes[arguments[0]], {}};
  }
  if (any_opaque(graph, arguments)) return {opaque_node(OpaqueKind::kTensorOfOpaque), {}};
  if (arguments.size() != 3 || graph.nodes[arguments[0]].kind != NodeKind::kTensor ||
      !is_bool(graph, arguments[1]) || !is_nothing(graph, arguments[2])) {
    return refused("_rebuild_parameter expects a tensor, a bool and no hooks");
  }
  return {{NodeKind::kParameter, 0, graph.nodes[arguments[0]].value}, {}};
}

// The parameter made from the first argument, a tensor. The other arguments (requires_grad,
// attributes) are ignored.
CallResult parameter_of_first(const PickleGraph& graph, Refs arguments) {
  if (!arguments.empty() && is_opaque_tensor(graph, arguments[0])) {
    return {graph.nodes[arguments[0]], {}};
  }
  if (arguments.empty() || graph.nodes[arguments[0]].kind != NodeKind::kTensor) {
    return {opaque_node(OpaqueKind::kTensorOfOpaque), {}};
  }
  return {{NodeKind::kParameter, 0, graph.nodes[arguments[0]].value}, {}};
}

// _rebuild_from_type_v2(function, class, arguments, attributes) of a tensor or parameter with
// attributes, which are dropped.
CallResult rebuild_typed(PickleGraph& graph, Refs arguments) {
  const auto global_kind = [&](NodeRef ref) -> std::optional<GlobalKind> {
    if (graph.nodes[ref].kind != NodeKind::kGlobal) return std::nullopt;
    return allowed_globals()[graph.nodes[ref].value].kind;
  };
  if (arguments.size() != 4) return {opaque_node(OpaqueKind::kTensorOfOpaque), {}};
  const auto function = global_kind(arguments[0]), type = global_kind(arguments[1]);
  const bool plain = type == GlobalKind::kTensorClass || type == GlobalKind::kParameter;
  if (!plain || !function || *function == GlobalKind::kTypedRebuild) {
    return {opaque_node(OpaqueKind::kTensorOfOpaque), {}};
  }
  return reduce(graph, arguments[0], arguments[2]);
}

// A Counter made from a dict is read as that dict; a defaultdict starts empty and is filled later.
CallResult dict_of(PickleGraph& graph, Refs arguments) {
  if (arguments.size() == 1 && graph.nodes[arguments[0]].kind == NodeKind::kDict) {
    return {graph.nodes[arguments[0]], {}};
  }
  graph.containers.emplace_back();
  return {{NodeKind::kDict, 0, graph.containers.size() - 1}, {}};
}

// A set made from a list is read as that list; a deque is made from an empty tuple and filled
// later.
CallResult list_of(PickleGraph& graph, Refs arguments) {
  if (!arguments.empty() && graph.nodes[arguments[0]].kind == NodeKind::kList) {
    return {graph.nodes[arguments[0]], {}};
  }
  if (!arguments.empty() && !tuple_items(graph, arguments[0]).value_or(arguments).empty()) {
    return {opaque_node(OpaqueKind::kTensorOfOpaque), {}};
  }
  graph.containers.emplace_back();
  return {{NodeKind::kList, 0, graph.containers.size() - 1}, {}};
}

// Recognises the calls that rebuild unsupported tensors: dtypes without a storage type (8-bit
// floats), quantised, sparse and nested ones.
std::optional<Node> opaque_tensor(PickleGraph& graph, NodeRef callee, NodeRef arguments) {
  constexpr size_t kType = 6;
  const std::string name = graph.opaque_name(graph.nodes[callee]);
  constexpr std::array<std::string_view, 5> kMakers = {
      "torch._utils._rebuild_tensor_v3", "torch._utils._rebuild_qtensor",
      "torch._utils._rebuild_sparse_tensor", "torch._utils._rebuild_sparse_csr_tensor",
      "torch._utils._rebuild_nested_tensor"};
  if (std::find(kMakers.begin(), kMakers.end(), name) == kMakers.end()) return std::nullopt;
  if (name == "torch._utils._rebuild_qtensor") return opaque_node(OpaqueKind::kQuantised);
  const std::optional<Refs> items = tuple_items(graph, arguments);
  const bool typed = name == "torch._utils._rebuild_tensor_v3" && items && items->size() > kType &&
                     is_opaque(graph, (*items)[kType]);
  graph.containers.push_back({typed ? (*items)[kType] : callee});
  return opaque_node(OpaqueKind::kTensorType, graph.containers.size() - 1);
}

// Calling an opaque class or function returns an opaque object, which BUILD may fill.
CallResult opaque_object(PickleGraph& graph, NodeRef callee, NodeRef arguments) {
  const Node node = graph.nodes[callee];
  if (node.length > static_cast<uint32_t>(OpaqueKind::kGlobalByTexts)) return {node, {}};
  if (!graph.is_object(node)) {
    if (const auto tensor = opaque_tensor(graph, callee, arguments)) return {*tensor, {}};
  }
  const NodeRef its_class = graph.is_object(node) ? graph.containers[node.value][0] : callee;
  graph.containers.push_back({its_class});
  return {opaque_node(OpaqueKind::kObject, graph.containers.size() - 1), {}};
}

CallResult make_size(const PickleGraph& graph, Refs arguments) {
  if (arguments.size() != 1 || !are_extents(graph, arguments[0])) {
    return refused(fmt::format("torch.Size expects at most {} integers", kMaxDimensions));
  }
  return {{NodeKind::kSize, 0, graph.nodes[arguments[0]].value}, {}};
}

CallResult make_empty(PickleGraph& graph, NodeKind kind, Refs arguments) {
  if (!arguments.empty()) return refused("a dict or Namespace constructed with arguments");
  graph.containers.emplace_back();
  return {{kind, 0, graph.containers.size() - 1}, {}};
}

// TorchScript's typed lists: attributes of modules, such as a convolution's padding.
CallResult script_list(const PickleGraph& graph, Refs arguments) {
  if (arguments.size() != 1 || graph.nodes[arguments[0]].kind != NodeKind::kList) {
    return refused("a typed list that is not constructed from one list");
  }
  return {graph.nodes[arguments[0]], {}};
}

CallResult encode(const PickleGraph& graph, Refs arguments) {
  const auto is_text = [&](NodeRef ref) { return graph.nodes[ref].kind == NodeKind::kText; };
  if (arguments.size() != 2 || !is_text(arguments[0]) || !is_text(arguments[1]) ||
      graph.text(graph.nodes[arguments[1]]) != "latin1") {
    return refused("_codecs.encode is only read for latin1 text");
  }
  Node bytes = graph.nodes[arguments[0]];
  bytes.kind = NodeKind::kLatin1;
  return {bytes, {}};
}

// Registers a storage. If its key occurred before, type and size must be the same.
CallResult add_storage(PickleGraph& graph, PickledStorage storage) {
  const auto [place, is_new] = graph.storage_places.emplace(storage.key, graph.storages.size());
  if (is_new) {
    graph.storages.push_back(std::move(storage));
  } else if (const PickledStorage& known = graph.storages[place->second];
             known.dtype != storage.dtype || known.elements != storage.elements) {
    return refused(fmt::format("storage {} has {} elements of {} here, {} of {} before",
                               shown(storage.key), storage.elements, storage.dtype, known.elements,
                               known.dtype));
  }
  return {{NodeKind::kStorage, 0, place->second}, {}};
}

}  // namespace

CallResult reduce(PickleGraph& graph, NodeRef callee, NodeRef arguments) {
  if (is_opaque(graph, callee)) return opaque_object(graph, callee, arguments);
  if (graph.nodes[callee].kind != NodeKind::kGlobal)
    return refused("a call of something that is not a global");
  if (graph.nodes[arguments].kind != NodeKind::kTuple) return refused("a call without a tuple");
  const AllowedGlobal& global = allowed_globals()[graph.nodes[callee].value];
  const Refs items = graph.items(graph.nodes[arguments]);
  switch (global.kind) {
    case GlobalKind::kOrderedDict:
      return make_empty(graph, NodeKind::kOrderedDict, items);
    case GlobalKind::kNamespace:
      return make_empty(graph, NodeKind::kNamespace, items);
    case GlobalKind::kRebuildTensor:
      return rebuild_tensor(graph, items, false);
    case GlobalKind::kRebuildTensorV2:
      return rebuild_tensor(graph, items, true);
    case GlobalKind::kRebuildParameter:
      return rebuild_parameter(graph, items);
    case GlobalKind::kSize:
      return make_size(graph, items);
    case GlobalKind::kPosixPath:
      return {{NodeKind::kPosixPath, 0, graph.nodes[arguments].value}, {}};
    case GlobalKind::kWindowsPath:
      return {{NodeKind::kWindowsPath, 0, graph.nodes[arguments].value}, {}};
    case GlobalKind::kEncode:
      return encode(graph, items);
    case GlobalKind::kScriptList:
      return script_list(graph, items);
    case GlobalKind::kDict:
      return dict_of(graph, items);
    case GlobalKind::kList:
      return list_of(graph, items);
    case GlobalKind::kParameter:
    case GlobalKind::kParameterWithState:
      return parameter_of_first(graph, items);
    case GlobalKind::kTypedRebuild:
      return rebuild_typed(graph, items);
    case GlobalKind::kTensorClass:
      return {opaque_node(OpaqueKind::kTensorOfOpaque), {}};
    case GlobalKind::kStorageType:
    case GlobalKind::kScriptModule:
      break;
  }
  return refused(fmt::format("{}.{} is not called", global.module, global.name));
}

CallResult new_object(PickleGraph& graph, NodeRef callee, NodeRef arguments) {
  if (graph.nodes[callee].kind == NodeKind::kGlobal) {
    const AllowedGlobal& global = allowed_globals()[graph.nodes[callee].value];
    if (global.kind == GlobalKind::kScriptModule) {
      const std::optional<Refs> items = tuple_items(graph, arguments);
      if (!items) return refused("a call without a tuple");
      return make_empty(graph, NodeKind::kNamespace, *items);
    }
    const bool made = global.kind == GlobalKind::kOrderedDict ||
                      global.kind == GlobalKind::kNamespace || global.kind == GlobalKind::kSize ||
                      global.kind == GlobalKind::kDict || global.kind == GlobalKind::kList ||
                      global.kind == GlobalKind::kParameter ||
                      global.kind == GlobalKind::kTensorClass;
    if (!made) {
      return refused(fmt::format("{}.{} is not constructed by NEWOBJ", global.module, global.name));
    }
  }
  return reduce(graph, callee, arguments);
}

namespace {

// Stores the attributes of an opaque object. `state` is a dict, or a pair of which one is a dict
// (attributes and __slots__).
void fill_unread(PickleGraph& graph, const Node& object, NodeRef state) {
  if (!graph.is_object(object) || graph.containers[object.value].size() > 1) return;
  const auto is_dict = [&](NodeRef ref) {
    const NodeKind kind = graph.nodes[ref].kind;
    return kind == NodeKind::kDict || kind == NodeKind::kOrderedDict;
  };
  const std::optional<Refs> both = tuple_items(graph, state);
  if (both && both->size() == 2) state = is_dict(both->front()) ? both->front() : both->back();
  if (is_dict(state)) graph.containers[object.value].push_back(state);
}

}  // namespace

CallResult build(PickleGraph& graph, NodeRef object, NodeRef state) {
  Node& target = graph.nodes[object];
  if (target.kind == NodeKind::kOpaque) {
    fill_unread(graph, target, state);
    return {};
  }
  if (graph.nodes[state].kind != NodeKind::kDict)
    return refused("BUILD with something that is not a dict");
  if (target.kind == NodeKind::kOrderedDict) return {};
  if (target.kind != NodeKind::kNamespace || target.length != 0) {
    return refused("BUILD of something that is neither a new Namespace nor an OrderedDict");
  }
  target.value = graph.nodes[state].value;
  target.length = 1;
  return {};
}

CallResult persistent_storage(PickleGraph& graph, NodeRef id) {
  const std::optional<Refs> items = tuple_items(graph, id);
  const auto kind = [&](size_t i) { return graph.nodes[(*items)[i]].kind; };
  const auto text = [&](size_t i) { return graph.text(graph.nodes[(*items)[i]]); };
  if (!items || (items->size() != 5 && items->size() != 6) || kind(0) != NodeKind::kText ||
      text(0) != "storage") {
    return refused("a persistent id that is not a storage");
  }
  if (items->size() == 6 && kind(5) != NodeKind::kNone) return refused("a view of a storage");
  if (kind(1) == NodeKind::kOpaque) {
    graph.containers.push_back({(*items)[1]});
    return {opaque_node(OpaqueKind::kStorageType, graph.containers.size() - 1), {}};
  }
  if (kind(1) != NodeKind::kGlobal || kind(2) != NodeKind::kText || kind(3) != NodeKind::kText ||
      kind(4) != NodeKind::kInt) {
    return refused("a storage needs type, key, location and a number of elements");
  }
  const AllowedGlobal& type = allowed_globals()[graph.nodes[(*items)[1]].value];
  if (type.kind != GlobalKind::kStorageType) return refused("a storage of an unknown type");
  const auto elements = static_cast<int64_t>(graph.nodes[(*items)[4]].value);
  if (elements < 0) return refused("a storage with a negative number of elements");
  if (text(2).size() > kMaxNameBytes) return refused("a storage with a key of too many bytes");
  return add_storage(graph, {std::string(text(2)), type.dtype, static_cast<uint64_t>(elements)});
}

}  // namespace fcm::formats
