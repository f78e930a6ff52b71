#include "fcm/formats/legacy_container.h"

#include <algorithm>
#include <array>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/formats/little_endian.h"
#include "fcm/formats/pickle_interpreter.h"
#include "fcm/formats/pickle_tree.h"
#include "fcm/formats/safetensors_header.h"

namespace fcm::formats {
namespace {

// The pickled magic number 0x1950a86a20f9469cfc6c; its bytes are the same in every PyTorch version.
constexpr std::array<uint8_t, 15> kMagic = {0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46,
                                            0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e};
constexpr int64_t kProtocol = 1001;

// Reads pickles and storages one after the other.
class Stream {
 public:
  Stream(std::span<const std::byte> bytes, const std::string& file) : bytes_(bytes), file_(file) {}

  PickleGraph pickle(const char* part) {
    PickleGraph graph = run_pickle(bytes_.subspan(next_), fmt::format("{}: {}", file_, part));
    next_ += graph.end;
    return graph;
  }

  // Reads a pickle that may hold only plain data.
  Value data(const char* part) {
    const PickleGraph graph = pickle(part);
    PickleTree tree = expand(graph, fmt::format("{}: {}", file_, part));
    if (!graph.storages.empty()) {
      fail(ExitCode::kCheckpoint, "{}: {} contains a storage", file_, part);
    }
    return std::move(tree.root);
  }

  std::span<const std::byte> take(uint64_t count, const std::string& what) {
    if (count > bytes_.size() - next_) {
      fail(ExitCode::kCheckpoint,
           "{}: {} has {} bytes, but only {} are left: the file is truncated", file_, what, count,
           bytes_.size() - next_);
    }
    const auto taken = bytes_.subspan(next_, count);
    next_ += count;
    return taken;
  }

  bool at_end() const { return next_ == bytes_.size(); }

 private:
  std::span<const std::byte> bytes_;
  const std::string& file_;
  size_t next_ = 0;
};

void check_machine(const Value& facts, const std::string& file) {
  const Value* little = facts.find("little_endian");
  const bool* flag = little == nullptr ? nullptr : std::get_if<bool>(&little->data);
  if (flag == nullptr) {
    fail(ExitCode::kCheckpoint, "{}: its endianness is not recorded", file);
  }
  if (!*flag) fail(ExitCode::kCheckpoint, "{}: big-endian files are not read", file);
}

// Reads the storage of `key`, stored as its number of elements, then its bytes.
void take_storage(Stream& stream, const Value& key, PthParts& parts, const std::string& file) {
  const auto* text = std::get_if<std::string>(&key.data);
  const auto place =
      text == nullptr ? parts.graph.storage_places.end() : parts.graph.storage_places.find(*text);
  if (place == parts.graph.storage_places.end()) {
    fail(ExitCode::kCheckpoint, "{}: the storage {} belongs to no tensor", file,
         text == nullptr ? "without a name" : shown(*text));
  }
  std::span<const std::byte>& bytes = parts.storages[place->second];
  if (bytes.data() != nullptr) {
    fail(ExitCode::kCheckpoint, "{}: storage {} occurs twice", file, shown(*text));
  }
  const PickledStorage& storage = parts.graph.storages[place->second];
  const std::string what = "storage " + shown(*text);
  const auto elements = load_le<uint64_t>(stream.take(sizeof(uint64_t), what), 0);
  if (elements != storage.elements) {
    fail(ExitCode::kCheckpoint, "{}: {} has {} elements, its tensors say {}", file, what, elements,
         storage.elements);
  }
  bytes = stream.take(storage_bytes(storage, file), what);
}

}  // namespace

bool begins_as_legacy(std::span<const std::byte> bytes) {
  return bytes.size() >= kMagic.size() &&
         std::equal(kMagic.begin(), kMagic.end(), bytes.begin(),
                    [](uint8_t expected, std::byte found) { return std::byte{expected} == found; });
}

PthParts parse_legacy(std::span<const std::byte> bytes, const std::string& file) {
  Stream stream(bytes, file);
  stream.take(kMagic.size(), "the magic number");
  const Value protocol = stream.data("protocol version");
  if (const auto* number = std::get_if<int64_t>(&protocol.data);
      number == nullptr || *number != kProtocol) {
    fail(ExitCode::kCheckpoint, "{}: its protocol version is not {}", file, kProtocol);
  }
  check_machine(stream.data("system information"), file);
  PthParts parts;
  parts.graph = stream.pickle("object");
  const Value keys = stream.data("storage keys");
  const auto* list = std::get_if<Value::List>(&keys.data);
  if (list == nullptr || list->size() != parts.graph.storages.size()) {
    fail(ExitCode::kCheckpoint, "{}: its list of storage keys must name each storage once", file);
  }
  parts.storages.resize(list->size());
  for (const Value& key : *list) take_storage(stream, key, parts, file);
  if (!stream.at_end()) fail(ExitCode::kCheckpoint, "{}: bytes follow the last storage", file);
  return parts;
}

}  // namespace fcm::formats
