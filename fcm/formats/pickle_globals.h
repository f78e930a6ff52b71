// The allow-list of Python names. No Python is ever called: the interpreter itself builds the data
// that an allowed name stands for. Any other name becomes an opaque node, or is refused if it can
// run code (is_hostile). Private to this folder.
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace fcm::formats {

enum class GlobalKind {
  kOrderedDict,
  kRebuildTensor,
  kRebuildTensorV2,
  kRebuildParameter,
  kSize,
  kNamespace,
  kPosixPath,
  kWindowsPath,
  kEncode,
  kStorageType,
  kDict,       // defaultdict, Counter: read as the dict they hold
  kList,       // set, frozenset, deque: read as the list they hold
  kParameter,  // torch.nn.Parameter itself
  kParameterWithState,
  kTypedRebuild,  // _rebuild_from_type_v2: a tensor with attributes
  kTensorClass,
  kScriptList,    // TorchScript's build_*list: a typed list, built from a list
  kScriptModule,  // any class below "__torch__": constructed without arguments, filled by BUILD
};

struct AllowedGlobal {
  std::string_view module;
  std::string_view name;
  GlobalKind kind;
  std::string_view dtype = {};  // of a storage type
};

std::span<const AllowedGlobal> allowed_globals();

// Index into allowed_globals(); nullopt: not allowed. Classes that a TorchScript archive defines in
// its own code (modules "__torch__", "__torch__.X") share one entry; their definitions are not
// read.
std::optional<size_t> find_global(std::string_view module, std::string_view name);

// Whether the name can run commands or code. Files of weights do not need such names, so a file
// that contains one is refused even if nothing uses the name.
bool is_hostile(std::string_view module, std::string_view name);

}  // namespace fcm::formats
