#include "fcm/loader/remarks.h"

#include <fmt/ranges.h>

#include <algorithm>

namespace fcm::loader {

void LeftOut::add(std::string_view what, std::string_view example, int64_t count) {
  constexpr size_t kMostKinds = 48;
  constexpr std::string_view kRest = "of further kinds";
  auto kind = std::ranges::find(kinds_, what, &Kind::what);
  if (kind == kinds_.end() && kinds_.size() >= kMostKinds && what != kRest) {
    add(kRest, example, count);
    return;
  }
  if (kind == kinds_.end()) {
    kinds_.push_back({std::string(what), std::string(example), count});
    return;
  }
  kind->count += count;
  if (example < kind->example) kind->example = example;
}

void LeftOut::add(const LeftOut& more) {
  for (const Kind& kind : more.kinds_) add(kind.what, kind.example, kind.count);
}

std::vector<LeftOut::Kind> LeftOut::kinds() const {
  std::vector<Kind> sorted = kinds_;
  std::ranges::sort(sorted, [](const Kind& a, const Kind& b) {
    return a.count != b.count ? a.count > b.count : a.what < b.what;
  });
  return sorted;
}

int64_t LeftOut::count() const {
  int64_t sum = 0;
  for (const Kind& kind : kinds_) sum += kind.count;
  return sum;
}

std::string as_text(const LeftOut& left_out) {
  constexpr size_t kShown = 10;
  std::string text;
  int64_t rest = 0;
  const std::vector<LeftOut::Kind> kinds = left_out.kinds();
  for (size_t i = 0; i < kinds.size(); ++i) {
    if (i >= kShown) {
      rest += kinds[i].count;
      continue;
    }
    text += fmt::format("{}{} {} ({})", i > 0 ? ", " : "", kinds[i].count, kinds[i].what,
                        kinds[i].example);
  }
  if (rest > 0) text += fmt::format(", {} of {} further kinds", rest, kinds.size() - kShown);
  return text;
}

std::string some_of(const std::vector<std::string>& names) {
  constexpr size_t kShown = 5;
  const auto last = names.begin() + static_cast<ptrdiff_t>(std::min(names.size(), kShown));
  return fmt::format("{}{}", fmt::join(names.begin(), last, ", "),
                     names.size() > kShown ? ", ..." : "");
}

}  // namespace fcm::loader
