#include "fcm/checkpoint/step_folders.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>
#include <system_error>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/base/process.h"
#include "fcm/base/system_call.h"

namespace fcm::checkpoint {
namespace {

namespace fs = std::filesystem;

// Removes a number as fmt prints it (no sign, no leading zero) from the front of `text`.
std::optional<int64_t> take_number(std::string_view& text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const size_t digits = static_cast<size_t>(end - text.data());
  if (error != std::errc{} || text.front() == '-' || (text.front() == '0' && digits > 1)) {
    return std::nullopt;
  }
  text.remove_prefix(digits);
  return number;
}

struct ParsedName {
  int64_t step = 0;
  bool old = false;
  struct Owner {
    std::string host;  // empty: an earlier version wrote the name, without a host
    pid_t process;
  };
  std::optional<Owner> temporary_of;
};

// This machine's name as temporary_path() writes it. In a path a dot ends the name, so dots become
// underscores, like all other characters except letters, digits and hyphens.
std::string host_part() {
  std::string name = host_name();
  const auto is_plain = [](unsigned char one) { return std::isalnum(one) != 0 || one == '-'; };
  std::replace_if(
      name.begin(), name.end(), [&](char one) { return !is_plain(one); }, '_');
  return name;
}

std::optional<ParsedName> parse_name(const std::string& name) {
  constexpr std::string_view kStep = "step-", kTemporary = ".tmp.";
  std::string_view rest = name;
  if (!rest.starts_with(kStep)) return std::nullopt;
  rest.remove_prefix(kStep.size());
  const std::optional<int64_t> step = take_number(rest);
  if (!step) return std::nullopt;
  if (rest.empty()) return ParsedName{*step, false, {}};
  if (rest == ".old") return ParsedName{*step, true, {}};
  if (!rest.starts_with(kTemporary)) return std::nullopt;
  rest.remove_prefix(kTemporary.size());
  std::string host;
  if (const size_t dot = rest.find('.'); dot != rest.npos) {
    host = rest.substr(0, dot);
    rest.remove_prefix(dot + 1);
    if (host.empty()) return std::nullopt;
  }
  const std::optional<int64_t> process = take_number(rest);
  if (!process || !rest.empty()) return std::nullopt;
  return ParsedName{*step, false, ParsedName::Owner{host, static_cast<pid_t>(*process)}};
}

template <class Action>
void for_each_entry(const fs::path& folder, const Action& action) {
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (const auto parsed = parse_name(entry->path().filename())) action(entry->path(), *parsed);
  }
  if (error) {
    fail(ExitCode::kCheckpoint, "cannot list {}: {}", folder.string(), error.message());
  }
}

// A leftover with this process's own ID counts as dead: the caller has no save in progress, and
// after a restart in a container the ID is often the same. Processes of other machines count as
// alive, because this machine cannot check them.
bool is_dead(const ParsedName::Owner& owner) {
  if (!owner.host.empty() && owner.host != host_part()) return false;
  return owner.process == ::getpid() || (::kill(owner.process, 0) != 0 && errno == ESRCH);
}

// All files that save() writes into a step folder.
constexpr std::array kStepFiles = {kManifestFile, kModelFile, kOptimizerFile};

bool is_link(const fs::path& path) {
  std::error_code ignored;
  return fs::symlink_status(path, ignored).type() == fs::file_type::symlink;
}

bool holds_a_step_file(const fs::path& folder) {
  return std::any_of(kStepFiles.begin(), kStepFiles.end(), [&](const char* name) {
    std::error_code ignored;
    return fs::symlink_status(folder / name, ignored).type() != fs::file_type::not_found;
  });
}

// Also false for a link, and for a folder that cannot be listed.
bool holds_step_files_alone(const fs::path& folder) {
  if (is_link(folder)) return false;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const fs::path name = entry->path().filename();
    if (std::find(kStepFiles.begin(), kStepFiles.end(), name) == kStepFiles.end()) return false;
  }
  return !error;
}

// A truncated or damaged manifest counts as this program's; valid JSON of another format does not.
bool holds_own_manifest(const fs::path& folder) {
  const fs::path file = folder / kManifestFile;
  if (!is_ordinary_file(file, ExitCode::kCheckpoint)) return false;
  const std::string text = read_file(file, ExitCode::kCheckpoint);
  return text.find(kFormat) != std::string::npos || !nlohmann::json::accept(text);
}

// The order in which the files of a step are deleted. In a folder named like a checkpoint the
// manifest is last, because it proves that the other files are this program's.
std::array<const char*, 3> order_of_removal(const fs::path& step_folder) {
  const std::optional<ParsedName> name = parse_name(step_folder.filename());
  if (name && !name->temporary_of) return {kOptimizerFile, kModelFile, kManifestFile};
  return {kManifestFile, kModelFile, kOptimizerFile};
}

// Also true if `path` does not exist or is a folder.
bool remove_file(const fs::path& path) {
  std::error_code ignored;
  const fs::file_type type = fs::symlink_status(path, ignored).type();
  if (type == fs::file_type::not_found || type == fs::file_type::directory) return true;
  return system_call::unlink(kFailpoints, path) == 0;
}

[[noreturn]] void fail_to_remove(const fs::path& path) {
  fail(ExitCode::kCheckpoint, "cannot remove {}: {}", path.string(), std::strerror(errno));
}

// Whether `replacement` is complete and was saved after `old`. If somebody copied step-N to
// step-N.old, both have the same sequence, and the copy is kept.
bool was_replaced(const StepFolder& old, const StepFolder& replacement) try {
  return read_manifest(old.path).sequence < checked_manifest(replacement).sequence;
} catch (const Error&) {
  return false;
}

}  // namespace

std::string step_name(int64_t step) { return fmt::format("step-{}", step); }

fs::path temporary_path(const fs::path& folder, int64_t step) {
  return folder / fmt::format("step-{}.tmp.{}.{}", step, host_part(), ::getpid());
}

std::optional<int64_t> step_of(const fs::path& path) {
  const fs::path name = path.has_filename() ? path.filename() : path.parent_path().filename();
  const std::optional<ParsedName> parsed = parse_name(name);
  if (!parsed || parsed->old || parsed->temporary_of) return std::nullopt;
  return parsed->step;
}

std::vector<StepFolder> list_steps(const fs::path& folder) {
  std::vector<StepFolder> steps;
  for_each_entry(folder, [&](const fs::path& path, const ParsedName& name) {
    if (!name.temporary_of && holds_a_step_file(path)) {
      steps.push_back({path, name.step, name.old});
    }
  });
  std::sort(steps.begin(), steps.end(), [](const StepFolder& left, const StepFolder& right) {
    return std::pair(left.step, !left.old) < std::pair(right.step, !right.old);
  });
  return steps;
}

std::optional<int64_t> read_latest(const fs::path& folder) {
  std::string name;
  try {
    name = read_file(folder / "latest", ExitCode::kCheckpoint);
  } catch (const Error&) {
    return std::nullopt;
  }
  while (name.ends_with('\n')) name.pop_back();
  return step_of(name);
}

Manifest checked_manifest(const StepFolder& step) {
  Manifest manifest = read_manifest(step.path);
  if (manifest.step != step.step) {
    fail(ExitCode::kCheckpoint, "{} holds step {}", step.path.string(), manifest.step);
  }
  for (const auto& [name, record] : manifest.files) formats::check_size(step.path / name, record);
  return manifest;
}

int64_t last_sequence(const fs::path& folder) {
  int64_t last = 0;
  for (const StepFolder& step : list_steps(folder)) {
    try {
      last = std::max(last, read_manifest(step.path).sequence);
    } catch (const Error&) {  // damaged: load_newest reports it
    }
  }
  return last;
}

void clean_up_leftovers(const fs::path& folder) {
  std::vector<fs::path> dead;
  for_each_entry(folder, [&](const fs::path& path, const ParsedName& name) {
    if (name.temporary_of && is_dead(*name.temporary_of)) dead.push_back(path);
  });
  std::vector<StepFolder> steps = list_steps(folder);
  std::erase_if(steps, [](const StepFolder& step) { return !step.old; });
  if (dead.empty() && steps.empty()) return;
  // If a process died after it renamed a new checkpoint into place, that rename may not be durable
  // yet: syncs before deleting the replaced checkpoint.
  sync_folder(folder, ExitCode::kCheckpoint, kFailpoints);
  for (const fs::path& path : dead) remove_step(path);
  for (const StepFolder& old : steps) {
    const StepFolder replacement{folder / step_name(old.step), old.step, false};
    if (!is_there(replacement.path, ExitCode::kCheckpoint)) {
      system_call::rename(kFailpoints, old.path, replacement.path);
    } else if (was_replaced(old, replacement)) {
      const fs::path doomed = temporary_path(folder, old.step);
      if (system_call::rename(kFailpoints, old.path, doomed) != 0) continue;
      sync_folder(folder, ExitCode::kCheckpoint, kFailpoints);
      remove_step(doomed);
    }
  }
}

void prune(const fs::path& folder, int64_t just_saved, const Retention& retention) {
  std::vector<std::pair<int64_t, StepFolder>> valid_steps;  // (sequence, step), newest first
  for (StepFolder& step : list_steps(folder)) {
    try {
      if (!step.old) valid_steps.emplace_back(checked_manifest(step).sequence, std::move(step));
    } catch (const Error&) {  // damaged: kept for inspection, not counted
    }
  }
  std::sort(valid_steps.begin(), valid_steps.end(),
            [](const auto& left, const auto& right) { return left.first > right.first; });
  const std::optional<int64_t> latest = read_latest(folder);
  const int64_t most_regular = std::max<int64_t>(1, retention.keep_last);
  const int64_t most_between = std::min<int64_t>(2, most_regular);
  int64_t regular = 0, between = 0;
  std::vector<fs::path> doomed;
  for (const auto& [sequence, folder_of_step] : valid_steps) {
    const int64_t step = folder_of_step.step;
    const bool is_regular = step % retention.regular_every_steps == 0;
    const bool recent = is_regular ? ++regular <= most_regular : ++between <= most_between;
    const bool permanent = retention.keep_every_steps > 0 && step % retention.keep_every_steps == 0;
    if (recent || permanent || step == just_saved || step == latest) continue;
    if (!holds_step_files_alone(folder_of_step.path)) continue;
    // The folder is renamed before its files are deleted, so that no step-N is ever incomplete.
    doomed.push_back(temporary_path(folder, step));
    if (system_call::rename(kFailpoints, folder_of_step.path, doomed.back()) != 0) {
      fail(ExitCode::kCheckpoint, "cannot remove the old checkpoint {}: {}",
           folder_of_step.path.string(), std::strerror(errno));
    }
  }
  if (doomed.empty()) return;
  sync_folder(folder, ExitCode::kCheckpoint, kFailpoints);
  for (const fs::path& path : doomed) {
    if (!remove_step(path)) {
      fail(ExitCode::kCheckpoint, "cannot remove the old checkpoint {}: {}", path.string(),
           std::strerror(errno));
    }
  }
}

bool remove_step(const fs::path& step_folder) {
  if (is_link(step_folder)) return system_call::unlink(kFailpoints, step_folder) == 0;
  for (const char* name : order_of_removal(step_folder)) {
    if (!remove_file(step_folder / name)) return false;
  }
  std::vector<fs::path> inner;  // empty subfolders are removed too
  std::error_code error;
  for (fs::directory_iterator entry(step_folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->symlink_status(error).type() == fs::file_type::directory) {
      inner.push_back(entry->path());
    }
  }
  for (const fs::path& folder : inner) system_call::rmdir(kFailpoints, folder);
  return system_call::rmdir(kFailpoints, step_folder) == 0 || errno == ENOTEMPTY || errno == EEXIST;
}

bool is_foreign(const fs::path& step_folder) {
  return !is_link(step_folder) && holds_a_step_file(step_folder) &&
         !holds_own_manifest(step_folder);
}

std::optional<fs::path> first_foreign_step(const fs::path& folder) {
  for (const StepFolder& step : list_steps(folder)) {
    if (is_foreign(step.path)) return step.path;
  }
  return std::nullopt;
}

void remove_checkpoints(const fs::path& folder) {
  if (const auto foreign = first_foreign_step(folder)) {
    fail(ExitCode::kCheckpoint, "{} has no manifest of this program, so it is not removed",
         foreign->string());
  }
  // `latest` is removed first, so that an interruption cannot leave one that names a removed step.
  for (const char* name : {"latest", "latest.tmp"}) {
    if (!remove_file(folder / name)) fail_to_remove(folder / name);
  }
  for (const StepFolder& step : list_steps(folder)) {
    fs::path doomed = step.path;
    if (holds_step_files_alone(step.path)) {
      doomed = temporary_path(folder, step.step);  // renamed first: no step-N is ever incomplete
      if (system_call::rename(kFailpoints, step.path, doomed) != 0) fail_to_remove(step.path);
    }
    if (!remove_step(doomed)) fail_to_remove(doomed);
  }
  std::vector<fs::path> leftovers;
  for_each_entry(folder, [&](const fs::path& path, const ParsedName& name) {
    if (name.temporary_of && is_dead(*name.temporary_of)) leftovers.push_back(path);
  });
  for (const fs::path& path : leftovers) {
    if (!remove_step(path)) fail_to_remove(path);
  }
  sync_folder(folder, ExitCode::kCheckpoint, kFailpoints);
  const bool removed = system_call::rmdir(kFailpoints, folder) == 0;
  if (!removed && errno != ENOTEMPTY && errno != EEXIST) fail_to_remove(folder);
}

}  // namespace fcm::checkpoint
