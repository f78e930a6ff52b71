#include "fcm/formats/pickle_tree.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <unordered_set>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/base/text.h"
#include "fcm/formats/pickle_globals.h"
#include "fcm/formats/safetensors_header.h"

namespace fcm::formats {
namespace {

class Expander {
 public:
  Expander(const PickleGraph& graph, const std::string& what) : graph_(graph), what_(what) {}

  PickleTree run() {
    PickleTree tree;
    tree.root = value(graph_.root, 0);
    tree.tensors = std::move(tensors_);
    return tree;
  }

 private:
  template <typename... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) const {
    fail(ExitCode::kCheckpoint, "{}: at {}: {}", what_, path_.empty() ? "the top" : shown(path_),
         fmt::format(format, std::forward<Args>(args)...));
  }

  void spend_text(size_t bytes) {
    text_bytes_ += bytes;
    if (text_bytes_ > kMaxTextBytes) {
      refuse("texts and names have more than {} bytes together", kMaxTextBytes);
    }
  }

  // The depth limit also stops cycles.
  Value value(NodeRef ref, size_t depth) {
    if (++values_ > kMaxTreeValues) {
      refuse("more than {} values, counting shared ones at every occurrence", kMaxTreeValues);
    }
    if (depth > kMaxDepth) refuse("nested deeper than {} levels", kMaxDepth);
    const Node& node = graph_.nodes[ref];
    switch (node.kind) {
      case NodeKind::kNone:
        return {};
      case NodeKind::kBool:
        return {node.value != 0};
      case NodeKind::kInt:
        return {static_cast<int64_t>(node.value)};
      case NodeKind::kFloat:
        return {std::bit_cast<double>(node.value)};
      case NodeKind::kText:
        return {text(node)};
      case NodeKind::kBytes:
      case NodeKind::kLatin1:
        return {bytes(node)};
      case NodeKind::kList:
        return {list(node, depth)};
      case NodeKind::kTuple:
        return {Value::Tuple{list(node, depth)}};
      case NodeKind::kDict:
      case NodeKind::kOrderedDict:
        return {dict(node, depth)};
      case NodeKind::kNamespace:
        return {members(node, depth)};
      case NodeKind::kSize:
        return {size(node)};
      case NodeKind::kPosixPath:
        return {Value::Path{path(node, '/')}};
      case NodeKind::kWindowsPath:
        return {Value::Path{path(node, '\\')}};
      case NodeKind::kTensor:
      case NodeKind::kParameter:
        return {tensor(node)};
      case NodeKind::kOpaque:
        return {opaque(node, depth)};
      case NodeKind::kStorage:
        if (depth == 0) refuse("a storage in place of data");
        return {Value::Opaque{"a storage", {}}};
      case NodeKind::kGlobal:
        break;
    }
    const AllowedGlobal& global = allowed_globals()[node.value];
    if (depth == 0) {
      refuse("the global {}.{} in place of data", global.module, global.name);
    }
    return {Value::Opaque{fmt::format("{}.{}", global.module, global.name), {}}};
  }

  Value::Opaque opaque(const Node& node, size_t depth) {
    Value::Opaque result{graph_.opaque_name(node), {}};
    spend_text(result.what.size());
    if (!is_utf8(result.what)) result.what = "something whose name is not UTF-8";
    if (!graph_.is_object(node)) return result;
    const std::span<const NodeRef> parts = graph_.items(node);
    if (parts.size() > 1) result.members = dict(graph_.nodes[parts[1]], depth, /*strict=*/false);
    return result;
  }

  std::string text(const Node& node) {
    const std::string_view text = graph_.text(node);
    spend_text(text.size());
    if (is_utf8(text)) return std::string(text);
    std::string mended = without_surrogates(text);
    if (!is_utf8(mended)) refuse("a text that is not UTF-8");
    return mended;
  }

  // Replaces lone surrogates, which Python uses for undecodable bytes of file names, by U+FFFD. A
  // surrogate and U+FFFD take three bytes each.
  static std::string without_surrogates(std::string_view text) {
    std::string result(text);
    for (size_t i = 0; i + 2 < result.size(); ++i) {
      const bool half = result[i] == '\xed' && static_cast<unsigned char>(result[i + 1]) >= 0xa0;
      if (half) result.replace(i, 3, "\xef\xbf\xbd");
    }
    return result;
  }

  Value::Bytes bytes(const Node& node) {
    spend_text(node.length);
    if (node.kind == NodeKind::kBytes) return {std::string(graph_.text(node))};
    std::optional<std::string> narrow = latin1_from_utf8(graph_.text(node));
    if (!narrow) refuse("bytes that are not latin1");
    return {std::move(*narrow)};
  }

  // The value of a child; `step` is its name in the path.
  Value child(NodeRef ref, std::string_view step, size_t depth) {
    const size_t length = path_.size();
    if (length > 0) path_ += '.';
    path_ += step;
    Value result = value(ref, depth + 1);
    path_.resize(length);
    return result;
  }

  Value::List list(const Node& node, size_t depth) {
    Value::List values;
    for (const NodeRef item : graph_.items(node)) {
      values.push_back(child(item, std::to_string(values.size()), depth));
    }
    return values;
  }

  // Of two keys with the same identity, the second one is refused if `strict`, else skipped.
  Value::Dict dict(const Node& node, size_t depth, bool strict = true) {
    Value::Dict dict;
    dict.ordered = node.kind == NodeKind::kOrderedDict;
    const std::span<const NodeRef> items = graph_.items(node);
    std::unordered_set<std::string> keys;
    for (size_t i = 0; i < items.size(); i += 2) {
      auto [key, step, identity] = key_of(items[i], i, depth);
      if (!keys.insert(std::move(identity)).second) {
        if (!strict) continue;
        refuse("duplicate key {}", shown(step));
      }
      Value held = child(items[i + 1], step, depth);
      dict.items.emplace_back(std::move(key), std::move(held));
    }
    return dict;
  }

  struct Key {
    Value value;
    std::string step;  // name in the path
    // Equal for texts, numbers and None that are equal in Python; other keys all differ.
    std::string identity;
  };

  Key key_of(NodeRef ref, size_t place, size_t depth) {
    Value key = value(ref, depth + 1);
    if (const auto* text = std::get_if<std::string>(&key.data)) {
      return {key, *text, "s" + *text};
    }
    std::string step;
    if (const auto* flag = std::get_if<bool>(&key.data)) step = std::to_string(*flag ? 1 : 0);
    if (const auto* number = std::get_if<int64_t>(&key.data)) step = std::to_string(*number);
    if (const auto* number = std::get_if<double>(&key.data)) {
      const bool whole = std::abs(*number) < 0x1p62 && *number == std::trunc(*number);
      step = whole ? std::to_string(static_cast<int64_t>(*number)) : fmt::format("{}", *number);
    }
    if (std::holds_alternative<std::monostate>(key.data)) step = "None";
    if (std::holds_alternative<Value::Tuple>(key.data) ||
        std::holds_alternative<Value::Bytes>(key.data) ||
        std::holds_alternative<Value::Path>(key.data) ||
        std::holds_alternative<Value::Opaque>(key.data)) {
      step = fmt::format("key {}", place / 2);
    }
    if (step.empty()) refuse("a key that is neither a string nor a number");
    return {std::move(key), step, "n" + step};
  }

  Value::Namespace members(const Node& node, size_t depth) {
    Value::Namespace result{dict(node, depth)};
    for (const auto& [key, held] : result.members.items) {
      if (!std::holds_alternative<std::string>(key.data)) {
        refuse("a Namespace with a member whose name is not a string");
      }
    }
    return result;
  }

  Value::Size size(const Node& node) const {
    Value::Size size;
    for (const NodeRef item : graph_.items(node)) {
      size.extents.push_back(static_cast<int64_t>(graph_.nodes[item].value));
    }
    return size;
  }

  // Joins parts as pathlib does. A root or drive already ends in a separator.
  std::string path(const Node& node, char separator) {
    std::string joined;
    for (const NodeRef part : graph_.items(node)) {
      if (graph_.nodes[part].kind != NodeKind::kText) refuse("a path whose parts are not text");
      if (!joined.empty() && joined.back() != separator) joined += separator;
      joined += text(graph_.nodes[part]);
    }
    return joined.empty() ? "." : joined;
  }

  Value::Tensor tensor(const Node& node) {
    if (tensors_.size() == kMaxTreeTensors) refuse("more than {} tensors", kMaxTreeTensors);
    spend_text(path_.size());
    if (!names_.insert(path_).second) refuse("a second tensor of this name");
    tensors_.push_back({path_, node.value});
    return {tensors_.size() - 1, node.kind == NodeKind::kParameter};
  }

  const PickleGraph& graph_;
  const std::string& what_;
  std::string path_;
  size_t values_ = 0;
  size_t text_bytes_ = 0;
  std::vector<NamedTensor> tensors_;
  std::unordered_set<std::string> names_;
};

}  // namespace

PickleTree expand(const PickleGraph& graph, const std::string& what) {
  return Expander(graph, what).run();
}

}  // namespace fcm::formats
