#include "fcm/interop/state_dicts.h"

#include <utility>
#include <variant>

namespace fcm::interop {
namespace {

using formats::TensorView;
using formats::Value;

constexpr size_t kDeepest = 5;        // levels of nesting that are searched
constexpr size_t kLongestList = 256;  // longer lists are not searched

class Collector {
 public:
  explicit Collector(const formats::PthFile& file) : file_(file) {}

  void visit(const Value& value, const std::string& path, size_t depth) {
    if (depth > kDeepest || value.find("param_groups") != nullptr) return;
    if (is_module(value)) {
      NamedTensors whole{path, {}};
      add_module(value, "", depth, whole.tensors);
      if (!whole.tensors.empty()) found_.push_back(std::move(whole));
      return;
    }
    if (const Value::Dict* dict = value.entries()) visit_dict(*dict, path, depth);
    const auto* list = std::get_if<Value::List>(&value.data);
    if (const auto* tuple = std::get_if<Value::Tuple>(&value.data)) list = &tuple->items;
    if (list == nullptr || list->size() > kLongestList) return;
    for (size_t i = 0; i < list->size(); ++i) {
      visit((*list)[i], joined(path, std::to_string(i)), depth + 1);
    }
  }

  std::vector<NamedTensors> take() { return std::move(found_); }

 private:
  static bool is_module(const Value& value) {
    return std::holds_alternative<Value::Namespace>(value.data) ||
           value.find("_parameters") != nullptr;
  }

  void visit_dict(const Value::Dict& dict, const std::string& path, size_t depth) {
    NamedTensors here{path, {}};
    for (const auto& [key, value] : dict.items) {
      const auto* name = std::get_if<std::string>(&key.data);
      if (name != nullptr) add_tensor(value, *name, here.tensors);
    }
    if (!here.tensors.empty()) found_.push_back(std::move(here));
    for (const auto& [key, value] : dict.items) {
      if (const auto* name = std::get_if<std::string>(&key.data)) {
        visit(value, joined(path, *name), depth + 1);
      }
    }
  }

  void add_tensor(const Value& value, std::string name, std::vector<TensorView>& tensors) const {
    const auto* tensor = std::get_if<Value::Tensor>(&value.data);
    if (tensor == nullptr) return;
    tensors.push_back(file_.tensors.at(tensor->index));
    tensors.back().name = std::move(name);
  }

  // Adds the tensors of a module with the names of its state_dict: the attributes of a TorchScript
  // module, or the contents of the three dicts of a Python module.
  void add_module(const Value& module, const std::string& path, size_t depth,
                  std::vector<TensorView>& tensors) const {
    const Value::Dict* members = module.entries();
    if (members == nullptr || depth > 64) return;
    for (const auto& [key, value] : members->items) {
      const auto* name = std::get_if<std::string>(&key.data);
      if (name == nullptr) continue;
      const bool parts = *name == "_parameters" || *name == "_buffers" || *name == "_modules";
      const std::string inner = parts ? path : joined(path, *name);
      add_tensor(value, inner, tensors);
      add_module(value, inner, depth + 1, tensors);
    }
  }

  const formats::PthFile& file_;
  std::vector<NamedTensors> found_;
};

}  // namespace

std::string joined(const std::string& path, std::string_view step) {
  return path.empty() ? std::string(step) : path + "." + std::string(step);
}

std::vector<NamedTensors> state_dicts(const formats::PthFile& file) {
  Collector collector(file);
  collector.visit(file.root, "", 0);
  return collector.take();
}

}  // namespace fcm::interop
