#include "fcm/loader/sources/shard_names.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "fcm/base/counted.h"
#include "fcm/base/error.h"
#include "fcm/loader/sources/files_beside.h"
#include "fcm/loader/sources/image_ending.h"
#include "fcm/loader/sources/split_folders.h"

namespace fcm::loader {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMostShards = 100'000;

std::optional<int64_t> number(std::string_view digits) {
  int64_t value = 0;
  constexpr size_t kMostDigits = 12;
  if (digits.empty() || digits.size() > kMostDigits || digits[0] == '-') return std::nullopt;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

// Expands the first range of a pattern; without a range, returns the pattern itself.
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
         "{}: expected an ascending range of at most {} numbers, such as {{000000..000009}}",
         pattern, kMostShards);
  }
  std::vector<std::string> names;
  for (int64_t i = *from; i <= *to; ++i) {
    names.push_back(pattern.substr(0, open) + fmt::format("{:0{}}", i, dots - open - 1) +
                    pattern.substr(close + 1));
  }
  return names;
}

}  // namespace

std::vector<fs::path> all_shards_in(const fs::path& folder, Remarks& remarks) {
  std::vector<fs::path> shards;
  const auto see = [&](const fs::directory_entry& entry, const std::string& name) {
    std::error_code ignored;
    if (lower_case(ending_of(name)) == ".tar") {
      shards.push_back(entry.path());
    } else if (entry.is_directory(ignored)) {
      remarks.left_out.add("folders beside the shards", name);
    } else if (name != "classes.txt") {
      remarks.left_out.add(kind_of_name(name), name);
    }
  };
  const std::error_code error = for_each_visible(folder, remarks.left_out, see);
  if (error) fail(ExitCode::kData, "cannot list {}: {}", folder.string(), error.message());
  std::sort(shards.begin(), shards.end());
  return shards;
}

std::vector<fs::path> shards_in(const fs::path& folder, Split split, Remarks& remarks) {
  Remarks found;
  const std::vector<fs::path> all = all_shards_in(folder, found);
  remarks.left_out.add(found.left_out);
  remarks.left_out_of_both_splits.add(found.left_out);
  if (all.empty()) return all;
  NamedSplits splits = splits_by_name(all);
  for (const fs::path& shard : splits.test) {
    for (LeftOut* counted : {&remarks.left_out, &remarks.left_out_of_both_splits}) {
      counted->add("test shards beside validation shards", shard.filename().string());
    }
  }
  remarks.notes.push_back(
      splits.are_named
          ? fmt::format("{} of {} {} held out for validation because of {} ({}{})",
                        splits.val.size(), counted(std::ssize(all), "shard", "shards"),
                        noun(std::ssize(splits.val), "is", "are"),
                        noun(std::ssize(splits.val), "its name", "their names"),
                        splits.val.front().filename().string(),
                        splits.val.size() > 1 ? ", ..." : "")
          : fmt::format(
                "no shard is held out for validation, since no name or every name contains a word "
                "such as val: all {} are used for both splits",
                all.size()));
  return std::move(split == Split::kTrain ? splits.train : splits.val);
}

std::vector<fs::path> expand_ranges(const std::string& pattern) {
  std::vector<std::string> names{pattern};
  while (names.front().find('{') != std::string::npos) {
    std::vector<std::string> longer;
    for (const std::string& name : names) {
      const auto more = expand_first(name);
      longer.insert(longer.end(), more.begin(), more.end());
      if (std::ssize(longer) > kMostShards) {
        fail(ExitCode::kData, "{} expands to more than {} files", pattern, kMostShards);
      }
    }
    names = std::move(longer);
  }
  return {names.begin(), names.end()};
}

}  // namespace fcm::loader
