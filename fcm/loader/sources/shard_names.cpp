#include "fcm/loader/sources/shard_names.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "fcm/base/error.h"

namespace fcm::loader {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMostShards = 100'000;

bool is_validation(const fs::path& shard) {
  const std::string name = shard.filename().string();
  return name.find("val") != std::string::npos || name.find("test") != std::string::npos;
}

std::optional<int64_t> number(std::string_view digits) {
  int64_t value = 0;
  constexpr size_t kMostDigits = 12;
  if (digits.empty() || digits.size() > kMostDigits || digits[0] == '-') return std::nullopt;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

// The names that the first range of a pattern stands for; the pattern itself where there is none.
std::vector<std::string> expand_first(const std::string& pattern) {
  const size_t open = pattern.find('{');
  if (open == std::string::npos) return {pattern};
  const size_t close = pattern.find('}', open);
  const size_t dots = pattern.find("..", open);
  std::optional<int64_t> from, to;
  if (close != std::string::npos && dots < close) {
    from = number(std::string_view(pattern).substr(open + 1, dots - open - 1));
    to = number(std::string_view(pattern).substr(dots + 2, close - dots - 2));
  }
  if (!from || !to || *from > *to || *to - *from >= kMostShards) {
    fail(ExitCode::kData,
         "{}: expected a range like {{000000..000009}}, rising, of at most {} numbers", pattern,
         kMostShards);
  }
  std::vector<std::string> names;
  for (int64_t i = *from; i <= *to; ++i) {
    names.push_back(pattern.substr(0, open) + fmt::format("{:0{}}", i, dots - open - 1) +
                    pattern.substr(close + 1));
  }
  return names;
}

}  // namespace

std::vector<fs::path> shards_in(const fs::path& folder, Split split) {
  std::vector<fs::path> shards;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const bool hidden = entry->path().filename().string().starts_with('.');
    if (!hidden && entry->path().extension() == ".tar") shards.push_back(entry->path());
  }
  if (error) fail(ExitCode::kData, "cannot list {}: {}", folder.string(), error.message());
  std::sort(shards.begin(), shards.end());
  const auto validation = std::count_if(shards.begin(), shards.end(), is_validation);
  if (validation == 0 || validation == std::ssize(shards)) return shards;
  std::erase_if(shards, [&](const fs::path& shard) {
    return is_validation(shard) != (split == Split::kVal);
  });
  return shards;
}

std::vector<fs::path> expand_ranges(const std::string& pattern) {
  std::vector<std::string> names{pattern};
  while (names.front().find('{') != std::string::npos) {
    std::vector<std::string> longer;
    for (const std::string& name : names) {
      const auto more = expand_first(name);
      longer.insert(longer.end(), more.begin(), more.end());
      if (std::ssize(longer) > kMostShards) {
        fail(ExitCode::kData, "{} stands for more than {} files", pattern, kMostShards);
      }
    }
    names = std::move(longer);
  }
  return {names.begin(), names.end()};
}

}  // namespace fcm::loader
