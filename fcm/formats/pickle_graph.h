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
};

}  // namespace fcm::formats
