#include "fcm/train/mismatches.h"

#include <fmt/ranges.h>
#include <fnmatch.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/base/text.h"

namespace fcm::train {
namespace {

constexpr size_t kShown = 3;    // tensors per kind of mismatch
constexpr size_t kModules = 8;  // modules per kind of mismatch

bool matches_any(const std::string& name, const std::vector<std::string>& patterns) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
  });
}

// "decoder_blocks.0.norm1.weight" -> "decoder_blocks.*", "mask_token" -> "mask_token"
std::string module_of(std::string_view name) {
  size_t end = name.rfind('.');
  if (end == std::string_view::npos) return std::string(name);
  for (size_t dot = name.find('.'); dot < end; dot = name.find('.', dot + 1)) {
    const bool number = name[dot + 1] >= '0' && name[dot + 1] <= '9';
    if (number) end = dot;
  }
  return std::string(name.substr(0, end)) + ".*";
}

// Adds a line to the message; `shown` has one text per name.
void add_line(std::vector<std::string>& lines, const char* fault,
              const std::vector<std::string>& names, const std::vector<std::string>& shown) {
  if (names.empty()) return;
  const std::string text =
      names.size() <= kShown
          ? fmt::format("  {}: {}", fault, fmt::join(shown, ", "))
          : fmt::format("  {}: {}: {} tensors, the first {}", fault, counted_by_module(names),
                        names.size(), fmt::join(shown.begin(), shown.begin() + kShown, ", "));
  lines.push_back(printable(text));
}

}  // namespace

std::string counted_by_module(const std::vector<std::string>& names) {
  std::vector<std::pair<std::string, size_t>> modules;
  for (const std::string& name : names) {
    const std::string module = module_of(name);
    const auto found = std::find_if(modules.begin(), modules.end(),
                                    [&](const auto& one) { return one.first == module; });
    if (found == modules.end()) {
      modules.emplace_back(module, 1);
    } else {
      ++found->second;
    }
  }
  std::vector<std::string> texts;
  for (const auto& [module, count] : modules) {
    const bool single = !module.ends_with(".*");
    texts.push_back(single ? module : fmt::format("{} ({})", module, count));
  }
  if (texts.size() > kModules) {
    const size_t more = texts.size() - kModules;
    texts.resize(kModules);
    texts.push_back(fmt::format("{} more modules", more));
  }
  return fmt::format("{}", fmt::join(texts, ", "));
}

const formats::TensorView* Mismatches::take(const formats::TensorFile& file,
                                            const std::string& name,
                                            const std::vector<int64_t>& shape) {
  expected_.insert(name);
  const formats::TensorView* view = file.find(name);
  if (view == nullptr) {
    if (!matches_any(name, rules_.missing)) missing_.push_back(name);
    return nullptr;
  }
  if (view->shape == shape) return view;
  misshaped_.push_back({name, fmt::format("{} is [{}], expected [{}]", name,
                                          fmt::join(view->shape, ", "), fmt::join(shape, ", "))});
  return nullptr;
}

void Mismatches::check(const formats::TensorFile& file, const std::string& source) const {
  std::vector<std::string> unexpected;
  for (const formats::TensorView& view : file.tensors) {
    const bool known = expected_.contains(view.name) || matches_any(view.name, rules_.unexpected);
    if (!known) unexpected.push_back(view.name);
  }
  if (missing_.empty() && misshaped_.empty() && unexpected.empty()) return;
  std::vector<std::string> other_shape, shapes;
  for (const Misshaped& one : misshaped_) {
    other_shape.push_back(one.name);
    shapes.push_back(one.shapes);
  }
  const size_t most = std::max({missing_.size(), unexpected.size(), other_shape.size()});
  const char* rest = most <= kShown ? ""
                                    : "; fastconvmae checkpoint show FILE lists every tensor of a "
                                      "file, checkpoint diff FILE OTHER the differences of two "
                                      "files";
  std::vector<std::string> lines;
  add_line(lines, "missing", missing_, missing_);
  add_line(lines, "unexpected", unexpected, unexpected);
  add_line(lines, "other shape", other_shape, shapes);
  fail(ExitCode::kCheckpoint,
       "{} does not fit this model:\n{}\nUse the recipe it was trained with (recipe.toml of its "
       "run), or set its sizes{}",
       source, fmt::join(lines, "\n"), rest);
}

}  // namespace fcm::train
