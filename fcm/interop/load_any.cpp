#include "fcm/interop/load_any.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/formats/pth.h"
#include "fcm/formats/safetensors.h"
#include "fcm/interop/adapters.h"
#include "fcm/interop/published.h"
#include "fcm/interop/transformers.h"

namespace fcm::interop {
namespace {

namespace fs = std::filesystem;
using checkpoint::Checkpoint;

// The layout of Hugging Face; the weights of our own step folders have the same name.
constexpr const char* kConfigFile = "config.json";
constexpr const char* kModelFile = "model.safetensors";

// Weights alone; the recipe too, where this program wrote it beside them.
Checkpoint load_safetensors(const fs::path& path) {
  Checkpoint loaded;
  loaded.path = path;
  loaded.format = "safetensors";
  loaded.model = formats::read_safetensors(path);
  loaded.merged = from_transformers(loaded.model.tensors, path.string());
  rename_as_published(loaded.model.tensors, path.string());
  const auto recipe = loaded.model.metadata.find("recipe");
  if (recipe != loaded.model.metadata.end()) loaded.state["recipe"] = recipe->second;
  return loaded;
}

Checkpoint load_hf(const fs::path& folder) {
  const fs::path file = folder / kConfigFile;
  const nlohmann::json config =
      nlohmann::json::parse(read_file(file, ExitCode::kCheckpoint), nullptr, false);
  if (!config.is_object()) fail(ExitCode::kCheckpoint, "{} is no JSON object", file.string());
  Checkpoint loaded = load_safetensors(folder / kModelFile);
  loaded.path = folder;
  loaded.format = "hf";
  const auto recipe = config.find("recipe");
  if (recipe != config.end() && recipe->is_string()) loaded.state["recipe"] = *recipe;
  return loaded;
}

Checkpoint load_newest_or_fail(const fs::path& folder, bool with_optimizer, Reporter& reporter) {
  std::optional<Checkpoint> newest = checkpoint::load_newest(folder, with_optimizer, reporter);
  if (!newest) fail(ExitCode::kCheckpoint, "{} holds no checkpoint yet", folder.string());
  return std::move(*newest);
}

bool holds(const fs::path& folder, const char* name) {
  return is_there(folder / name, ExitCode::kCheckpoint);
}

Checkpoint load_folder(const fs::path& path, bool with_optimizer, Reporter& reporter) {
  if (checkpoint::is_step(path)) return checkpoint::load_step(path, with_optimizer);
  if (holds(path, kConfigFile) && holds(path, kModelFile)) return load_hf(path);
  if (holds(path, kModelFile)) {
    fail(ExitCode::kCheckpoint,
         "{} has no manifest.json, so it is no complete checkpoint; to use its weights alone, name "
         "{}",
         path.string(), (path / kModelFile).string());
  }
  if (fs::is_directory(path / "checkpoints")) {
    return load_newest_or_fail(path / "checkpoints", with_optimizer, reporter);
  }
  if (checkpoint::has_steps(path)) return load_newest_or_fail(path, with_optimizer, reporter);
  fail(ExitCode::kCheckpoint,
       "{} is neither a checkpoint (step-N with a manifest.json), nor a run folder (with "
       "checkpoints/), nor a folder with {} and {}",
       path.string(), kConfigFile, kModelFile);
}

bool is_pth(const fs::path& path) {
  constexpr std::array kEndings = {".pth", ".pt", ".bin", ".ckpt", ".tar"};
  return fs::is_regular_file(path) &&
         std::find(kEndings.begin(), kEndings.end(), path.extension()) != kEndings.end();
}

Checkpoint load_file(const fs::path& path, bool with_optimizer) {
  if (path.extension() == ".safetensors") return load_safetensors(path);
  if (is_pth(path)) return from_pth(formats::read_pth(path), path, with_optimizer);
  fail(ExitCode::kCheckpoint,
       "{} is no checkpoint: expected a step-N folder, a run folder, a .pth or a .safetensors file",
       path.string());
}

}  // namespace

Checkpoint load_any(const fs::path& path, bool with_optimizer, Reporter& reporter) {
  if (!is_there(path, ExitCode::kCheckpoint)) {
    fail(ExitCode::kCheckpoint, "checkpoint {} does not exist", path.string());
  }
  return fs::is_directory(path) ? load_folder(path, with_optimizer, reporter)
                                : load_file(path, with_optimizer);
}

std::vector<fs::path> verify_any(const fs::path& path) {
  if (fs::is_directory(path)) {
    const fs::path inner = path / "checkpoints";
    const fs::path steps = fs::is_directory(inner) ? inner : path;
    if (checkpoint::is_step(path)) return checkpoint::verify_steps(path);
    if (checkpoint::has_steps(steps)) return checkpoint::verify_steps(steps);
  }
  if (is_pth(path)) formats::verify_pth(path);
  SilentReporter silence;
  load_any(path, true, silence);
  return {path};
}

}  // namespace fcm::interop
