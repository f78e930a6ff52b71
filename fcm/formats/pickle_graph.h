// What a pickle built: nodes that refer to each other. One opcode makes one node of constant size
// and copies nothing that was there before, or the memo would let a few bytes grow to gigabytes.
// Private to this folder.
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
// opcodes and 6 000 places in the tree.
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
  kText,    // value: place in the pickle, length: bytes
  kBytes,   // as kText
  kLatin1,  // as kText: UTF-8 whose code points are the bytes meant
  kList,    // value: index into `containers`, as for all that follow up to kWindowsPath
  kTuple,
  kDict,  // keys and values in turn
  kOrderedDict,
  kSize,
  kNamespace,  // as kDict, once it has members (length: 1)
  kPosixPath,  // parts
  kWindowsPath,
  kTensor,     // value: index into `tensors`
  kParameter,  // value: index into `tensors`
  kStorage,    // value: index into `storages`
  kGlobal,     // value: index into allowed_globals()
  kOpaque,     // what is not read; length: an Unread, which says what value is
};

enum class Unread : uint32_t {
  kObject,      // index into `containers`: its class (kLine or kTexts), and the dict of what it was
                // filled with, if it was
  kLine,        // a class or function: place of the line of its module, its own name is the next
  kTexts,       // the same: index into `containers`: two texts
  kLongNumber,  // nothing, as for all that follow
  kHooks,       // a tensor with them
  kMetadata,    // likewise
  kPartsUnread,  // a tensor of a storage, or of extents, that are not read
  kStorageType,  // but this: index into `containers`: the type, a kLine or kTexts
  kTensorType,   // a tensor of it: the same, or what would make the tensor
  kQuantised,    // a tensor of whole numbers with scales
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

// As the pickle claims; nothing is checked against the storage yet.
struct PickledTensor {
  uint64_t storage = 0;             // index into `storages`
  int64_t offset = 0;               // elements, as the strides
  uint64_t sizes = 0, strides = 0;  // tuples of whole numbers: indices into `containers`
};

struct PickleGraph {
  std::span<const std::byte> pickle;  // texts point into it
  std::vector<Node> nodes;
  std::vector<std::vector<NodeRef>> containers;
  std::vector<PickledStorage> storages;
  std::map<std::string, size_t> storage_places;  // by key
  std::vector<PickledTensor> tensors;
  NodeRef root = 0;
  size_t end = 0;  // behind STOP

  std::string_view text(const Node& node) const {
    return {reinterpret_cast<const char*>(pickle.data()) + node.value, node.length};
  }
  // Stays valid while other containers are added.
  std::span<const NodeRef> items(const Node& node) const { return containers[node.value]; }
  bool is_object(const Node& node) const {
    return node.kind == NodeKind::kOpaque && node.length == static_cast<uint32_t>(Unread::kObject);
  }
  // Of an opaque node: the name of the class or function, "numpy.dtype", or in words what it is;
  // and why it is refused where it would be used: "global "numpy.dtype" is not allowed".
  std::string name_unread(const Node& opaque) const;
  std::string why_unread(const Node& opaque) const;
};

inline Node unread(Unread why, uint64_t value = 0) {
  return {NodeKind::kOpaque, static_cast<uint32_t>(why), value};
}

}  // namespace fcm::formats
