#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/checkpoint/adapters.h"
#include "fcm/checkpoint/checkpoint.h"
#include "fcm/checkpoint/manifest.h"
#include "fcm/checkpoint/pth.h"
#include "fcm/checkpoint/published.h"
#include "fcm/checkpoint/safetensors.h"
#include "fcm/checkpoint/step_folders.h"
#include "fcm/checkpoint/tensor_io.h"
#include "fcm/checkpoint/transformers.h"

namespace fcm::checkpoint {
namespace {

namespace fs = std::filesystem;

Checkpoint load_step(const fs::path& path, Manifest manifest, bool with_optimizer) {
  Checkpoint checkpoint;
  checkpoint.path = path;
  checkpoint.step = manifest.step;
  checkpoint.state = std::move(manifest.state);
  for (const auto& [name, record] : manifest.files) check_size(path / name, record);
  checkpoint.model = read_tensor_file(path / kModelFile, manifest.files.at(kModelFile));
  if (with_optimizer) {
    checkpoint.optimizer =
        read_tensor_file(path / kOptimizerFile, manifest.files.at(kOptimizerFile));
  }
  return checkpoint;
}

struct Candidate {
  StepFolder folder;
  Manifest manifest;
  std::string damage;  // why it cannot be used; empty: nothing found so far
};

// Newest first. One whose manifest cannot be read is placed by its step.
std::vector<Candidate> candidates_in(const fs::path& folder) {
  std::vector<Candidate> candidates;
  for (StepFolder& step : list_steps(folder)) {
    Candidate& candidate = candidates.emplace_back();
    candidate.folder = std::move(step);
    try {
      candidate.manifest = checked_manifest(candidate.folder);
    } catch (const Error& error) {
      candidate.damage = error.what();
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
  reporter.warn(fmt::format("skipping the damaged checkpoint {}: {}",
                            candidate.folder.path.string(), candidate.damage));
}

// Reads the first candidate that is sound, and notes the damage of those before it.
std::optional<Checkpoint> first_sound(std::vector<Candidate>& candidates, bool with_optimizer) {
  for (Candidate& candidate : candidates) {
    if (!candidate.damage.empty()) continue;
    try {
      return load_step(candidate.folder.path, candidate.manifest, with_optimizer);
    } catch (const Error& error) {
      if (error.code() != ExitCode::kCheckpoint) throw;  // want of memory says nothing about it
      candidate.damage = error.what();
    }
  }
  return std::nullopt;
}

bool has_steps(const fs::path& folder) {
  return is_there(folder / "latest") || !list_steps(folder).empty();
}

// Weights alone; the recipe too, where this program wrote it beside them.
Checkpoint load_safetensors(const fs::path& path) {
  Checkpoint checkpoint;
  checkpoint.path = path;
  checkpoint.format = "safetensors";
  checkpoint.model = read_safetensors(path);
  checkpoint.merged = from_transformers(checkpoint.model.tensors, path.string());
  rename_as_published(checkpoint.model.tensors, path.string());
  const auto recipe = checkpoint.model.metadata.find("recipe");
  if (recipe != checkpoint.model.metadata.end()) checkpoint.state["recipe"] = recipe->second;
  return checkpoint;
}

Checkpoint load_hf(const fs::path& folder) {
  const fs::path file = folder / kConfigFile;
  const nlohmann::json config =
      nlohmann::json::parse(read_file(file, ExitCode::kCheckpoint), nullptr, false);
  if (!config.is_object()) fail(ExitCode::kCheckpoint, "{} is no JSON object", file.string());
  Checkpoint checkpoint = load_safetensors(folder / kModelFile);
  checkpoint.path = folder;
  checkpoint.format = "hf";
  const auto recipe = config.find("recipe");
  if (recipe != config.end() && recipe->is_string()) checkpoint.state["recipe"] = *recipe;
  return checkpoint;
}

Checkpoint load_newest_or_fail(const fs::path& folder, bool with_optimizer, Reporter& reporter) {
  std::optional<Checkpoint> newest = load_newest(folder, with_optimizer, reporter);
  if (!newest) fail(ExitCode::kCheckpoint, "{} holds no checkpoint yet", folder.string());
  return std::move(*newest);
}

Checkpoint load_folder(const fs::path& path, bool with_optimizer, Reporter& reporter) {
  if (is_there(path / kManifestFile)) {
    return load_step(path, read_manifest(path), with_optimizer);
  }
  if (is_there(path / kConfigFile) && is_there(path / kModelFile)) return load_hf(path);
  if (is_there(path / kModelFile)) {
    fail(ExitCode::kCheckpoint,
         "{} has no {}, so it is no complete checkpoint; to use its weights alone, name {}",
         path.string(), kManifestFile, (path / kModelFile).string());
  }
  if (fs::is_directory(path / "checkpoints")) {
    return load_newest_or_fail(path / "checkpoints", with_optimizer, reporter);
  }
  if (has_steps(path)) return load_newest_or_fail(path, with_optimizer, reporter);
  fail(ExitCode::kCheckpoint,
       "{} is neither a checkpoint (step-N with a {}), nor a run folder (with checkpoints/), nor a "
       "folder with {} and {}",
       path.string(), kManifestFile, kConfigFile, kModelFile);
}

bool is_pth(const fs::path& path) {
  constexpr std::array kEndings = {".pth", ".pt", ".bin", ".ckpt", ".tar"};
  return fs::is_regular_file(path) &&
         std::find(kEndings.begin(), kEndings.end(), path.extension()) != kEndings.end();
}

Checkpoint load_file(const fs::path& path, bool with_optimizer) {
  if (path.extension() == ".safetensors") return load_safetensors(path);
  if (is_pth(path)) return from_pth(read_pth(path), path, with_optimizer);
  fail(ExitCode::kCheckpoint,
       "{} is no checkpoint: expected a step-N folder, a run folder, a .pth or a .safetensors file",
       path.string());
}

}  // namespace

std::optional<Checkpoint> load_newest(const fs::path& folder, bool with_optimizer,
                                      Reporter& reporter) {
  if (!is_there(folder)) return std::nullopt;
  std::vector<Candidate> candidates = candidates_in(folder);
  const std::optional<int64_t> latest = read_latest(folder);
  if (candidates.empty()) {
    if (!latest) return std::nullopt;
    // Not "none at all": starting anew would bury that something was lost.
    fail(ExitCode::kCheckpoint,
         "{} holds no checkpoint, but its file `latest` names step {}; if it was removed on "
         "purpose, remove `latest` too",
         folder.string(), *latest);
  }
  std::optional<Checkpoint> newest = first_sound(candidates, with_optimizer);
  bool passed = false;
  for (const Candidate& candidate : candidates) {
    passed = passed || (newest && candidate.folder.path == newest->path);
    // Old damaged ones that were not in the way are not worth a warning at every start.
    const bool in_the_way = !passed || candidate.folder.step >= newest->step;
    if (!candidate.damage.empty() && in_the_way) warn_of(candidate, reporter);
  }
  if (!newest) {
    fail(ExitCode::kCheckpoint, "none of the {} checkpoints in {} is sound; the newest: {}",
         candidates.size(), folder.string(), candidates.front().damage);
  }
  const bool latest_is_there =
      !latest || std::any_of(candidates.begin(), candidates.end(), [&](const Candidate& candidate) {
        return candidate.folder.step == *latest;
      });
  if (!latest_is_there) {
    reporter.warn(fmt::format("`latest` in {} names step {}, which is not there; taking step {}",
                              folder.string(), *latest, newest->step));
  }
  return newest;
}

Checkpoint load(const fs::path& path, bool with_optimizer, Reporter& reporter) {
  if (!is_there(path)) {
    fail(ExitCode::kCheckpoint, "checkpoint {} does not exist", path.string());
  }
  return fs::is_directory(path) ? load_folder(path, with_optimizer, reporter)
                                : load_file(path, with_optimizer);
}

namespace {

void verify_step(const fs::path& step_folder) {
  const Manifest manifest = read_manifest(step_folder);
  if (const auto step = step_of(step_folder); step && *step != manifest.step) {
    fail(ExitCode::kCheckpoint, "{} holds step {}", step_folder.string(), manifest.step);
  }
  for (const auto& [name, record] : manifest.files) {
    check_tensor_file(step_folder / name, record);
  }
}

std::vector<fs::path> verify_steps(const fs::path& folder) {
  std::vector<fs::path> verified;
  for (const StepFolder& step : list_steps(folder)) {
    verify_step(step.path);
    verified.push_back(step.path);
  }
  if (verified.empty()) fail(ExitCode::kCheckpoint, "{} holds no checkpoint", folder.string());
  std::sort(verified.begin(), verified.end());
  return verified;
}

}  // namespace

std::vector<fs::path> verify(const fs::path& path) {
  const bool is_folder = fs::is_directory(path);
  if (is_folder && is_there(path / kManifestFile)) {
    verify_step(path);
    return {path};
  }
  const fs::path inner = path / "checkpoints";
  const fs::path steps = is_folder && fs::is_directory(inner) ? inner : path;
  if (is_folder && has_steps(steps)) return verify_steps(steps);
  if (is_pth(path)) verify_pth(path);
  SilentReporter silence;
  load(path, true, silence);
  return {path};
}

}  // namespace fcm::checkpoint
