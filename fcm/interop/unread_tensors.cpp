#include "fcm/interop/unread_tensors.h"

#include <fmt/format.h>

#include <map>
#include <string_view>
#include <variant>

#include "fcm/base/error.h"

namespace fcm::interop {
namespace {

using formats::Value;

constexpr std::string_view kTensor = "a tensor ";  // prefix of such a value's description

struct Kind {
  size_t count = 0;
  std::string first;
};
using Kinds = std::map<std::string, Kind>;

void collect(const Value& value, const std::string& path, Kinds& kinds) {
  if (const auto* opaque = std::get_if<Value::Opaque>(&value.data)) {
    if (opaque->what.starts_with(kTensor)) {
      Kind& kind = kinds[opaque->what.substr(kTensor.size())];
      if (kind.count++ == 0) kind.first = path;
    }
  }
  if (const Value::Dict* dict = value.entries()) {
    for (const auto& [key, inner] : dict->items) {
      const auto* name = std::get_if<std::string>(&key.data);
      if (name != nullptr) collect(inner, path.empty() ? *name : path + "." + *name, kinds);
    }
  }
  const auto* list = std::get_if<Value::List>(&value.data);
  if (const auto* tuple = std::get_if<Value::Tuple>(&value.data)) list = &tuple->items;
  for (size_t i = 0; list != nullptr && i < list->size(); ++i) collect((*list)[i], path, kinds);
}

}  // namespace

std::string unread_tensors(const formats::PthFile& file) {
  Kinds kinds;
  collect(file.root, "", kinds);
  std::string text;
  for (const auto& [what, kind] : kinds) {
    text += fmt::format("{}{} tensor{} {} ({} the first)", text.empty() ? "" : ", ", kind.count,
                        kind.count == 1 ? " is" : "s are", what, kind.first);
  }
  return text;
}

void refuse_unread_alone(const formats::PthFile& file, const std::string& source) {
  if (!file.tensors.empty()) return;
  const std::string unread = unread_tensors(file);
  if (unread.empty()) return;
  fail(ExitCode::kCheckpoint,
       "{}: {}, which cannot be read; take a file of floats, or convert them in Python "
       "(tensor.float(), dequantize(), to_dense()) and save them again",
       source, unread);
}

}  // namespace fcm::interop
