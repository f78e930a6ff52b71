#include "fcm/loader/sources/repeated_images.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "fcm/base/counted.h"

namespace fcm::loader {
namespace {

namespace fs = std::filesystem;

bool has_normal_form(std::string_view name) {
  if (name.starts_with('/') || name.starts_with("./") || name.starts_with("../")) return false;
  return name.find("/.") == name.npos && name.find("//") == name.npos;
}

// Indices of names, grouped so that the indices of equal names follow one another, ascending.
class EqualNames {
 public:
  EqualNames(int64_t count, const std::function<std::string_view(int64_t)>& name_of,
             const fs::path& folder)
      : name_of_(name_of), folder_(folder) {
    places_.reserve(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; ++i) {
      places_.emplace_back(std::hash<std::string>()(name(i)), i);
    }
    std::ranges::sort(places_);
  }

  // Calls see(indices) for every name that occurs more than once.
  template <class See>
  void for_each_repeated(const See& see) const {
    for (size_t begin = 0; begin < places_.size();) {
      size_t end = begin + 1;
      while (end < places_.size() && places_[end].first == places_[begin].first) ++end;
      std::vector<int64_t> same;
      for (size_t i = begin; end - begin > 1 && i < end; ++i) {
        // Different names with the same hash hardly ever occur, and do not count as repeated.
        if (name(places_[i].second) == name(places_[begin].second)) {
          same.push_back(places_[i].second);
        }
      }
      if (same.size() > 1) see(same);
      begin = end;
    }
  }

 private:
  std::string name(int64_t index) const { return normal_name(name_of_(index), folder_); }

  const std::function<std::string_view(int64_t)>& name_of_;
  const fs::path& folder_;
  std::vector<std::pair<uint64_t, int64_t>> places_;  // hash, index
};

// The number of repeated images, and as example the repeated image that comes first in the list.
struct RepeatCount {
  int64_t images = 0;
  int64_t first = -1, other = -1;  // indices of the example

  void add(int64_t one, int64_t another) {
    ++images;
    if (first >= 0 && first < one) return;
    first = one;
    other = another;
  }
};

}  // namespace

std::string normal_name(std::string_view name, const fs::path& folder) {
  if (has_normal_form(name)) return std::string(name);
  std::error_code ignored;
  const fs::path base =
      fs::absolute(folder.empty() ? "." : folder / "", ignored).lexically_normal();
  const fs::path path = (base / name).lexically_normal();
  const std::string inside = path.lexically_relative(base).string();
  return inside.empty() || inside.starts_with("..") ? path.string() : inside;
}

void warn_of_repeated(const JoinedNames& names, const Labels& labels, const fs::path& folder,
                      const std::string& list, Remarks& remarks) {
  const std::function<std::string_view(int64_t)> name_of = [&](int64_t i) { return names.at(i); };
  RepeatCount repeated, conflicting;
  int64_t entries = 0;
  EqualNames(names.size(), name_of, folder)
      .for_each_repeated([&](const std::vector<int64_t>& same) {
        entries += std::ssize(same) - 1;
        repeated.add(same[0], same[1]);
        int64_t labelled = -1;  // the first one with a label
        for (const int64_t i : same) {
          const int32_t number = labels.numbers[static_cast<size_t>(i)];
          if (number < 0) continue;
          if (labelled < 0) labelled = i;
          if (number == labels.numbers[static_cast<size_t>(labelled)]) continue;
          conflicting.add(labelled, i);
          break;
        }
      });
  if (repeated.images == 0) return;
  std::string text = fmt::format(
      "{} lists {} more than once (for example {}): {} of {} entries repeat one", list,
      counted(repeated.images, "image", "images"), names.at(repeated.first), entries, names.size());
  if (conflicting.images > 0) {
    const auto class_of = [&](int64_t i) {
      return labels.classes[static_cast<size_t>(labels.numbers[static_cast<size_t>(i)])];
    };
    text += fmt::format("; {} {} different labels, for example {}: {} and {}", conflicting.images,
                        noun(conflicting.images, "has", "have"), names.at(conflicting.first),
                        class_of(conflicting.first), class_of(conflicting.other));
  }
  remarks.warnings.push_back(std::move(text));
}

void warn_of_repeated(int64_t count, const std::function<std::string_view(int64_t)>& name_of,
                      const fs::path& folder, const std::string& list, Remarks& remarks) {
  JoinedNames names;
  for (int64_t i = 0; i < count; ++i) names.add(name_of(i));
  Labels labels;
  labels.numbers.assign(static_cast<size_t>(count), -1);
  warn_of_repeated(names, labels, folder, list, remarks);
}

}  // namespace fcm::loader
