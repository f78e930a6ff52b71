#include "fcm/formats/pickle_globals.h"

#include <algorithm>
#include <array>
#include <vector>

#include "fcm/formats/storage_types.h"

namespace fcm::formats {
namespace {

constexpr std::string_view kScriptRoot = "__torch__";

bool is_script_class(std::string_view module) {
  return module == kScriptRoot ||
         (module.starts_with(kScriptRoot) && module[kScriptRoot.size()] == '.');
}

std::vector<AllowedGlobal> make_list() {
  std::vector<AllowedGlobal> list = {
      {"collections", "OrderedDict", GlobalKind::kOrderedDict},
      {"torch._utils", "_rebuild_tensor", GlobalKind::kRebuildTensor},
      {"torch._utils", "_rebuild_tensor_v2", GlobalKind::kRebuildTensorV2},
      {"torch._utils", "_rebuild_parameter", GlobalKind::kRebuildParameter},
      {"torch", "Size", GlobalKind::kSize},
      {"argparse", "Namespace", GlobalKind::kNamespace},
      {"_codecs", "encode", GlobalKind::kEncode},  // bytes, in protocol 2
      {kScriptRoot, "*", GlobalKind::kScriptModule},
      {"collections", "defaultdict", GlobalKind::kDict},
      {"collections", "Counter", GlobalKind::kDict},
      {"collections", "deque", GlobalKind::kList},
      {"torch.nn.parameter", "Parameter", GlobalKind::kParameter},
      {"torch._utils", "_rebuild_parameter_with_state", GlobalKind::kParameterWithState},
      {"torch._tensor", "_rebuild_from_type_v2", GlobalKind::kTypedRebuild},
      {"torch._tensor", "Tensor", GlobalKind::kTensorClass},
      {"torch", "Tensor", GlobalKind::kTensorClass},
  };
  for (const std::string_view module : {"builtins", "__builtin__"}) {  // the latter: protocol 2
    for (const std::string_view name : {"set", "frozenset"}) {
      list.push_back({module, name, GlobalKind::kList});
    }
  }
  for (const std::string_view module : {"pathlib", "pathlib._local"}) {  // the latter: Python 3.13
    for (const std::string_view name : {"Path", "PurePath", "PosixPath", "PurePosixPath"}) {
      list.push_back({module, name, GlobalKind::kPosixPath});
    }
    for (const std::string_view name : {"WindowsPath", "PureWindowsPath"}) {
      list.push_back({module, name, GlobalKind::kWindowsPath});
    }
  }
  for (const std::string_view name :
       {"build_intlist", "build_doublelist", "build_boollist", "build_tensorlist"}) {
    list.push_back({"torch.jit._pickle", name, GlobalKind::kScriptList});
  }
  for (const StorageType& type : kStorageTypes) {
    list.push_back({"torch", type.name, GlobalKind::kStorageType, type.dtype});
  }
  return list;
}

}  // namespace

std::span<const AllowedGlobal> allowed_globals() {
  static const std::vector<AllowedGlobal> list = make_list();
  return list;
}

std::optional<size_t> find_global(std::string_view module, std::string_view name) {
  const std::span<const AllowedGlobal> list = allowed_globals();
  for (size_t i = 0; i < list.size(); ++i) {
    const bool script = list[i].kind == GlobalKind::kScriptModule;
    if (script ? is_script_class(module) : list[i].module == module && list[i].name == name) {
      return i;
    }
  }
  return std::nullopt;
}

bool is_hostile(std::string_view module, std::string_view name) {
  constexpr std::array<std::string_view, 14> kModules = {
      "os",     "posix", "nt",     "sys",    "subprocess", "commands", "pickle",
      "shutil", "runpy", "ctypes", "socket", "webbrowser", "pty",      "importlib"};
  constexpr std::array<std::string_view, 8> kBuiltins = {
      "eval", "exec", "execfile", "compile", "__import__", "open", "getattr", "input"};
  const auto is_in = [](const auto& list, std::string_view text) {
    return std::find(list.begin(), list.end(), text) != list.end();
  };
  if (module == "builtins" || module == "__builtin__") return is_in(kBuiltins, name);
  return is_in(kModules, module.substr(0, module.find('.'))) || module == "torch.hub";
}

}  // namespace fcm::formats
