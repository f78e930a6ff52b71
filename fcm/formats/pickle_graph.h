// The result of executing a pickle: a graph of nodes. An opcode creates at most one node of
// constant size and copies no earlier nodes; otherwise a few bytes that fetch from the memo could
// expand to gigabytes. Private to this folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fcm::formats {

// Budgets of one pickle (README.md). A published training checkpoint of 700 tensors takes 20 000
// opcodes and 6 000 values of the tree.
constexpr size_t kMaxPickleBytes = 64 << 20;
constexpr size_t kMaxOpcodes = 1 << 19;
constexpr size_t kMaxStack = 1 << 18;
constexpr size_t kMaxMemo = 1 << 19;
constexpr size_t kMaxNameBytes = 256;  // of a module, a class or a storage's key

using NodeRef = uint32_t;  // index into PickleGraph::nodes

enum class NodeKind : uint8_t {
  kNone,
  kBool,    // value: 0 or 1
  kInt,     // value: two's complement
  kFloat,   // value: bits of a double
  kText,    // value: offset in the pickle, length: bytes
  kBytes,   // as kText
  kLatin1,  // as kText: UTF-8 whose code points are the byte values
  kList,    // value: index into `containers`, as for all kinds from here to kWindowsPath
  kTuple,
  kDict,  // keys and values alternate
  kOrderedDict,
  kSize,
  kNamespace,  // as kDict, once it has members (length: 1)
  kPosixPath,  // parts
  kWindowsPath,
  kTensor,     // value: index into `tensors`
  kParameter,  // value: index into `tensors`
  kStorage,    // value: index into `storages`
  kGlobal,     // value: index into allowed_globals()
  kOpaque,     // not read; length: an OpaqueKind, which tells what `value` is
};

// What an opaque node stands for, and its `value`.
enum class OpaqueKind : uint32_t {
  // An object; index into `containers`: its class (kGlobalByLine or kGlobalByTexts) and, if it has
  // members, their dict.
  kObject,
  // A class or function; offset of the line with its module, before the line of its name.
  kGlobalByLine,
  kGlobalByTexts,  // a class or function; index into `containers`: module and name as texts
  kLongNumber,     // an integer of more than 8 bytes; value unused, as below unless noted
  kHooks,          // a tensor with backward hooks
  kMetadata,       // a tensor with metadata
  // A tensor of which a part is not read; also a set or deque that is not made from a list.
  kTensorOfOpaque,
  // A storage of another type; index into `containers`: the type (kGlobalByLine or kGlobalByTexts).
  kStorageType,
  kTensorType,  // a tensor of another type; as kStorageType, or the callable that rebuilds it
  kQuantised,   // a quantised tensor
};

struct Node {
  NodeKind kind = NodeKind::kNone;
  uint32_t length = 0;
  uint64_t value = 0;
};

struct PickledStorage {
  std::string key;
  std::string_view dtype;
  uint64_t elements = 0;
};

// A tensor as the pickle describes it, not yet checked against its storage.
struct PickledTensor {
  uint64_t storage = 0;             // index into `storages`
  int64_t offset = 0;               // in elements, like the strides
  uint64_t sizes = 0, strides = 0;  // tuples of integers: indices into `containers`
};

struct PickleGraph {
  std::span<const std::byte> pickle;  // texts point into it
  std::vector<Node> nodes;
  std::vector<std::vector<NodeRef>> containers;
  std::vector<PickledStorage> storages;
  std::map<std::string, size_t> storage_places;  // by key
  std::vector<PickledTensor> tensors;
  NodeRef root = 0;
  size_t end = 0;  // offset after STOP

  std::string_view text(const Node& node) const {
    return {reinterpret_cast<const char*>(pickle.data()) + node.value, node.length};
  }
  // Stays valid when other containers are added.
  std::span<const NodeRef> items(const Node& node) const { return containers[node.value]; }
  bool is_object(const Node& node) const {
    return node.kind == NodeKind::kOpaque &&
           node.length == static_cast<uint32_t>(OpaqueKind::kObject);
  }
  // For an opaque node. opaque_name: the name of its class or function ("numpy.dtype"), or a
  // description. opaque_reason: why it cannot be used, "global "numpy.dtype" is not allowed".
  std::string opaque_name(const Node& opaque) const;
  std::string opaque_reason(const Node& opaque) const;
};

inline Node opaque_node(OpaqueKind kind, uint64_t value = 0) {
  return {NodeKind::kOpaque, static_cast<uint32_t>(kind), value};
}

}  // namespace fcm::formats
