#include "fcm/base/cgroup.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>
#include <string_view>
#include <vector>

namespace fcm {
namespace {

namespace fs = std::filesystem;

constexpr const char* kVersion2 = "cgroup2";  // file system type in mountinfo

// A line of /proc/self/mountinfo (proc(5)) that mounts control groups.
struct Mount {
  fs::path group;  // root of the mount: the group visible at `point`
  fs::path point;
  std::string type;
  std::set<std::string> options;  // in version 1 these include the controllers
};

// A line of /proc/self/cgroup: the group of this process in one hierarchy.
struct Group {
  std::set<std::string> controllers;  // empty: version 2
  fs::path path;
};

std::set<std::string> split_at_commas(const std::string& text) {
  std::set<std::string> words;
  std::istringstream stream(text);
  for (std::string word; std::getline(stream, word, ',');) words.insert(word);
  return words;
}

// Decodes mountinfo's octal escapes: a blank is written "\040".
std::string unescaped(const std::string& text) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    int code = 0;
    const char* const digits = text.data() + i + 1;
    if (text[i] == '\\' && i + 3 < text.size() &&
        std::from_chars(digits, digits + 3, code, 8).ptr == digits + 3) {
      result += static_cast<char>(code);
      i += 3;
    } else {
      result += text[i];
    }
  }
  return result;
}

std::vector<Mount> mounts_of(const fs::path& root) {
  std::vector<Mount> mounts;
  std::ifstream lines(root / "proc/self/mountinfo");
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string id, parent, device, group, point, word, type, source, options;
    words >> id >> parent >> device >> group >> point;
    while (words >> word && word != "-") {
    }
    words >> type >> source >> options;
    if (type != "cgroup" && type != kVersion2) continue;
    mounts.push_back({unescaped(group), unescaped(point), type, split_at_commas(options)});
  }
  return mounts;
}

std::vector<Group> groups_of(const fs::path& root) {
  std::vector<Group> groups;
  std::ifstream lines(root / "proc/self/cgroup");
  for (std::string line; std::getline(lines, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == line.npos || second == line.npos) continue;
    groups.push_back(
        {split_at_commas(line.substr(first + 1, second - first - 1)), line.substr(second + 1)});
  }
  return groups;
}

// `path` relative to `above`; nullopt if it is not inside.
std::optional<fs::path> below(const fs::path& path, const fs::path& above) {
  if (above == "/") return path.relative_path();
  fs::path rest = path.lexically_relative(above);
  if (rest.empty() || *rest.begin() == "..") return std::nullopt;
  return rest;
}

// For one controller: the mounted folders of the group and of its ancestors.
std::vector<fs::path> folders_of(const Group& group, const std::string& controller,
                                 const std::vector<Mount>& mounts, const fs::path& root) {
  std::vector<fs::path> found, elsewhere;
  for (const Mount& mount : mounts) {
    const bool fits =
        group.controllers.empty() ? mount.type == kVersion2 : mount.options.contains(controller);
    if (!fits) continue;
    const fs::path point = root / mount.point.relative_path();
    const std::optional<fs::path> rest = below(group.path, mount.group);
    if (!rest) {
      elsewhere.push_back(point);
      continue;
    }
    fs::path folder = point;
    found.push_back(folder);
    for (const fs::path& part : *rest) {
      if (part == "." || part == "..") break;
      found.push_back(folder /= part);
    }
  }
  // In a container, /proc/self/cgroup may give the host's path, which is outside every mount. The
  // mount points are then the container's own group.
  return found.empty() ? elsewhere : found;
}

// The words of a one-line file as numbers; infinity for "max" and for anything that is not a
// number.
std::vector<double> numbers_in(const fs::path& file) {
  constexpr double kNone = std::numeric_limits<double>::infinity();
  std::vector<double> numbers;
  std::ifstream stream(file);
  for (std::string word; stream >> word;) {
    double number = kNone;
    std::from_chars(word.data(), word.data() + word.size(), number);
    numbers.push_back(number);
  }
  return numbers;
}

void lower(GroupLimit& limit, double value, const fs::path& file) {
  if (value < limit.value) limit = {value, file.string()};
}

void lower_by(GroupLimit& limit, const fs::path& file) {
  const std::vector<double> numbers = numbers_in(file);
  if (!numbers.empty() && numbers[0] > 0) lower(limit, numbers[0], file);
}

void lower_cores(GroupLimit& cores, const fs::path& folder) {
  const fs::path both = folder / "cpu.max", quota_alone = folder / "cpu.cfs_quota_us";
  const std::vector<double> numbers = numbers_in(both);  // "QUOTA PERIOD"
  if (numbers.size() == 2 && numbers[0] > 0 && numbers[1] > 0) {
    lower(cores, numbers[0] / numbers[1], both);
  }
  const std::vector<double> quota = numbers_in(quota_alone);  // -1: no quota
  const std::vector<double> period = numbers_in(folder / "cpu.cfs_period_us");
  if (!quota.empty() && !period.empty() && quota[0] > 0 && period[0] > 0) {
    lower(cores, quota[0] / period[0], quota_alone);
  }
}

}  // namespace

GroupLimits group_limits(const fs::path& root) {
  const std::vector<Mount> mounts = mounts_of(root);
  GroupLimits limits;
  for (const Group& group : groups_of(root)) {
    const auto folders = [&](const char* controller) {
      const bool has = group.controllers.empty() || group.controllers.contains(controller);
      return has ? folders_of(group, controller, mounts, root) : std::vector<fs::path>{};
    };
    for (const fs::path& folder : folders("cpu")) lower_cores(limits.cores, folder);
    for (const fs::path& folder : folders("memory")) {
      // memory.high counts too: above it the kernel throttles a process almost to a halt.
      for (const char* name : {"memory.max", "memory.high", "memory.limit_in_bytes"}) {
        lower_by(limits.memory, folder / name);
      }
    }
    for (const fs::path& folder : folders("pids")) lower_by(limits.threads, folder / "pids.max");
  }
  return limits;
}

}  // namespace fcm
