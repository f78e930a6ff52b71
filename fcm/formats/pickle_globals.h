// The allow-list. Nothing of Python's is ever called: each name stands for data that the machine
// builds itself; what has another name is kept as something that was not read. Private to this
// folder.
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
  kTypedRebuild,  // a rebuilding function for a tensor with attributes
  kTensorClass,
  kScriptList,    // build_*list of TorchScript: a list of one type, given as a list
  kScriptModule,  // any class below "__torch__": made without arguments, filled by BUILD
};

struct AllowedGlobal {
  std::string_view module;
  std::string_view name;
  GlobalKind kind;
  std::string_view dtype = {};  // of a storage type
};

std::span<const AllowedGlobal> allowed_globals();

// Index into allowed_globals(); nullopt: not allowed. Classes that a TorchScript archive defines in
// its own code (modules "__torch__", "__torch__.X") share one entry: they are never looked up
// there.
std::optional<size_t> find_global(std::string_view module, std::string_view name);

// Whether the name is a way to run commands or code: no honest file of weights has it, so it ends
// the reading even where nothing would use it.
bool is_hostile(std::string_view module, std::string_view name);

}  // namespace fcm::formats
