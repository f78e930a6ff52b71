#include <algorithm>
#include <tuple>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/checkpoint/checkpoint.h"
#include "fcm/checkpoint/manifest.h"
#include "fcm/checkpoint/step_folders.h"
#include "fcm/formats/input_file.h"
#include "fcm/formats/tensor_io.h"

namespace fcm::checkpoint {
namespace {

namespace fs = std::filesystem;

Checkpoint read_step(const fs::path& path, Manifest manifest, bool with_optimizer) {
  Checkpoint checkpoint;
  checkpoint.path = path;
  checkpoint.step = manifest.step;
  checkpoint.state = std::move(manifest.state);
  for (const auto& [name, record] : manifest.files) formats::check_size(path / name, record);
  checkpoint.model = formats::read_tensor_file(path / kModelFile, manifest.files.at(kModelFile));
  if (with_optimizer) {
    checkpoint.optimizer =
        formats::read_tensor_file(path / kOptimizerFile, manifest.files.at(kOptimizerFile));
  }
  return checkpoint;
}

struct Candidate {
  StepFolder folder;
  Manifest manifest;
  std::string damage;   // why it cannot be used; empty: no damage found so far
  bool unread = false;  // the operating system could not read it; it may be undamaged

  void note(const Error& error) {
    damage = error.what();
    unread = dynamic_cast<const formats::CannotRead*>(&error) != nullptr;
  }
};

// Newest first. Candidates that fail checked_manifest() have sequence 0: they come last, sorted by
// step number.
std::vector<Candidate> candidates_in(const fs::path& folder) {
  std::vector<Candidate> candidates;
  for (StepFolder& step : list_steps(folder)) {
    Candidate& candidate = candidates.emplace_back();
    candidate.folder = std::move(step);
    try {
      candidate.manifest = checked_manifest(candidate.folder);
    } catch (const Error& error) {
      candidate.note(error);
    }
  }
  std::sort(candidates.begin(), candidates.end(),
            [](const Candidate& left, const Candidate& right) {
              const auto key = [](const Candidate& one) {
                return std::tuple(one.manifest.sequence, one.folder.step, !one.folder.old);
              };
              return key(left) > key(right);
            });
  return candidates;
}

void warn_of(const Candidate& candidate, Reporter& reporter) {
  const std::string path = candidate.folder.path.string();
  if (!candidate.unread && is_foreign(candidate.folder.path)) {
    return reporter.warn(
        fmt::format("skipping {}, which has no manifest.json of this program", path));
  }
  reporter.warn(
      candidate.unread
          ? fmt::format("skipping the checkpoint {}, which cannot be read: {}", path,
                        candidate.damage)
          : fmt::format("skipping the damaged checkpoint {}: {}", path, candidate.damage));
}

// Reads the first valid candidate, and notes the damage of the candidates before it.
std::optional<Checkpoint> first_valid(std::vector<Candidate>& candidates, bool with_optimizer) {
  for (Candidate& candidate : candidates) {
    if (!candidate.damage.empty()) continue;
    try {
      return read_step(candidate.folder.path, candidate.manifest, with_optimizer);
    } catch (const Error& error) {
      if (error.code() != ExitCode::kCheckpoint) throw;  // e.g. out of memory: the file may be fine
      candidate.note(error);
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<Checkpoint> load_newest(const fs::path& folder, bool with_optimizer,
                                      Reporter& reporter) {
  if (!is_there(folder, ExitCode::kCheckpoint)) return std::nullopt;
  std::vector<Candidate> candidates = candidates_in(folder);
  const std::optional<int64_t> latest = read_latest(folder);
  if (candidates.empty()) {
    if (!latest) return std::nullopt;
    // With nullopt the run would start from scratch, and nobody would notice the lost checkpoint.
    fail(ExitCode::kCheckpoint,
         "{} holds no checkpoint, but its file `latest` names step {}; if it was removed on "
         "purpose, remove `latest` too",
         folder.string(), *latest);
  }
  std::optional<Checkpoint> newest = first_valid(candidates, with_optimizer);
  bool passed = false;
  for (const Candidate& candidate : candidates) {
    passed = passed || (newest && candidate.folder.path == newest->path);
    // A damaged checkpoint that comes after the loaded one and has a lower step gives no warning:
    // it would be repeated at every start.
    const bool in_the_way = !passed || candidate.folder.step >= newest->step;
    if (!candidate.damage.empty() && in_the_way) warn_of(candidate, reporter);
  }
  if (!newest) {
    fail(ExitCode::kCheckpoint, "none of the {} checkpoints in {} {}; the newest: {}",
         candidates.size(), folder.string(), candidates.front().unread ? "can be read" : "is sound",
         candidates.front().damage);
  }
  const bool latest_is_there =
      !latest || std::any_of(candidates.begin(), candidates.end(), [&](const Candidate& candidate) {
        return candidate.folder.step == *latest;
      });
  if (!latest_is_there) {
    reporter.warn(fmt::format("`latest` in {} names step {}, which is not there; using step {}",
                              folder.string(), *latest, newest->step));
  }
  return newest;
}

std::optional<nlohmann::json> newest_state(const fs::path& folder) {
  if (!is_there(folder, ExitCode::kCheckpoint)) return std::nullopt;
  for (Candidate& candidate : candidates_in(folder)) {
    if (candidate.damage.empty()) return std::move(candidate.manifest.state);
  }
  return std::nullopt;
}

Checkpoint load_step(const fs::path& step_folder, bool with_optimizer) {
  return read_step(step_folder, read_manifest(step_folder), with_optimizer);
}

bool is_step(const fs::path& folder) {
  return is_there(folder / kManifestFile, ExitCode::kCheckpoint);
}

bool has_steps(const fs::path& folder) {
  if (!is_folder(folder, ExitCode::kCheckpoint)) return false;
  return read_latest(folder).has_value() || !list_steps(folder).empty();
}

int64_t count_steps(const fs::path& folder) { return std::ssize(list_steps(folder)); }

namespace {

void verify_step(const fs::path& step_folder) {
  const Manifest manifest = read_manifest(step_folder);
  if (const auto step = step_of(step_folder); step && *step != manifest.step) {
    fail(ExitCode::kCheckpoint, "{} holds step {}", step_folder.string(), manifest.step);
  }
  for (const auto& [name, record] : manifest.files) {
    formats::check_tensor_file(step_folder / name, record);
  }
}

}  // namespace

std::vector<fs::path> verify_steps(const fs::path& folder) {
  if (is_step(folder)) {
    verify_step(folder);
    return {folder};
  }
  std::vector<fs::path> verified;
  for (const StepFolder& step : list_steps(folder)) {
    verify_step(step.path);
    verified.push_back(step.path);
  }
  if (verified.empty()) fail(ExitCode::kCheckpoint, "{} holds no checkpoint", folder.string());
  std::sort(verified.begin(), verified.end());
  return verified;
}

}  // namespace fcm::checkpoint
