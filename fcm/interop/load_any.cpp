#include "fcm/interop/load_any.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/formats/file_kind.h"
#include "fcm/formats/pth.h"
#include "fcm/formats/safetensors.h"
#include "fcm/interop/about.h"
#include "fcm/interop/downstream.h"
#include "fcm/interop/facts.h"
#include "fcm/interop/hub_cache.h"
#include "fcm/interop/json_file.h"
#include "fcm/interop/model_folder.h"
#include "fcm/interop/published.h"
#include "fcm/interop/tensor_roles.h"

namespace fcm::interop {
namespace {

namespace fs = std::filesystem;
using checkpoint::Checkpoint;
using formats::WeightsKind;

// Separates a file's name from the name of the weights to take.
constexpr std::string_view kChoice = "::";

constexpr const char* kAverageName = "ema";  // of the moving average in this program's checkpoints

struct Requested {
  fs::path path;
  std::string weights;  // empty: the best match
  int64_t threads = 0;  // as in load_any
};

Requested requested_of(const fs::path& path, int64_t threads) {
  const std::string text = path.string();
  const size_t at = text.rfind(kChoice);
  if (at == std::string::npos || at == 0 || is_there(path, ExitCode::kCheckpoint)) {
    return {path, {}, threads};
  }
  return {text.substr(0, at), text.substr(at + kChoice.size()), threads};
}

// Adds facts to a checkpoint, unless they belong to another model. `must_fit`: fails in that case.
void attach_facts(const nlohmann::json& facts, Checkpoint& loaded, bool must_fit,
                  Reporter& reporter) {
  if (facts.empty() || loaded.state.contains("recipe")) return;
  if (is_downstream(loaded)) return;  // no such file describes these
  const auto architecture = recognise(loaded.model.tensors);
  const std::string fault = architecture ? disagreement(facts, *architecture) : "";
  if (fault.empty()) {
    loaded.state[kFactsKey] = facts;
    // A config that this program wrote for another program does not tell how the weights were
    // trained.
    const auto producer = loaded.model.metadata.find("producer");
    const bool ours = producer != loaded.model.metadata.end() && producer->second == "fastconvmae";
    if (ours) loaded.state[kFactsKey].erase("notes");
  } else if (must_fit) {
    fail(ExitCode::kCheckpoint, "{}: {}: they do not belong together", loaded.path.string(), fault);
  } else {
    reporter.info(
        fmt::format("{}: {}, so the facts in it are not used", loaded.path.string(), fault));
  }
}

// Without their prefixes, AdamW's moments would look like weights. Of an optimizer's file only the
// moving average may be used as weights.
void drop_moments(std::vector<formats::TensorView>& tensors, const fs::path& path) {
  const auto is_moment = [](const formats::TensorView& tensor) {
    return tensor.name.starts_with("exp_avg.") || tensor.name.starts_with("exp_avg_sq.");
  };
  if (std::ranges::none_of(tensors, is_moment)) return;
  if (std::ranges::all_of(tensors, is_moment)) {
    const bool beside = is_there(path.parent_path() / kModelFile, ExitCode::kCheckpoint);
    fail(ExitCode::kCheckpoint, "{}{}", why_unknown(tensors, path.string()),
         beside ? fmt::format(", {} beside it", kModelFile) : "");
  }
  std::erase_if(tensors, is_moment);
}

// Loads weights, and the recipe and facts that the file's metadata may hold.
Checkpoint load_tensors(formats::TensorFile file, const fs::path& path, const Requested& requested,
                        Reporter& reporter) {
  Checkpoint loaded;
  loaded.path = path;
  loaded.format = "safetensors";
  const auto recipe = file.metadata.find("recipe");
  if (recipe != file.metadata.end()) loaded.state["recipe"] = recipe->second;
  const auto about = file.metadata.find(kAboutKey);
  if (about != file.metadata.end()) read_about(about->second, loaded.state);
  const nlohmann::json facts = facts_of_metadata(file.metadata);
  loaded.model = std::move(file);
  drop_moments(loaded.model.tensors, path);
  std::vector<NamedTensors> all(1);
  all.front().tensors = std::move(loaded.model.tensors);
  take_weights(std::move(all), requested.weights, loaded, reporter);
  attach_facts(facts, loaded, /*must_fit=*/false, reporter);
  return loaded;
}

bool ends_like_weights(const fs::path& path) {
  constexpr std::array kEndings = {".pth", ".pt", ".bin", ".ckpt", ".tar", ".pkl"};
  return std::find(kEndings.begin(), kEndings.end(), path.extension()) != kEndings.end();
}

WeightsKind kind_of(const fs::path& path) {
  const std::string beginning = formats::beginning_of(path);
  const WeightsKind kind = formats::weights_kind(std::as_bytes(std::span(beginning)));
  if (kind != WeightsKind::kOther) return kind;
  // Decides by the extension; the reader then reports what is wrong with the file.
  if (path.extension() == ".safetensors") return WeightsKind::kSafetensors;
  return ends_like_weights(path) ? WeightsKind::kTorch : kind;
}

// "the bytes 0x01 0x02"
std::string first_bytes_of(std::string_view bytes) {
  constexpr size_t kShown = 4;
  std::string text = "the bytes";
  for (const unsigned char byte : bytes.substr(0, kShown)) text += fmt::format(" 0x{:02x}", byte);
  return text;
}

// Names the checkpoint or run that contains a file or folder, which the user probably meant; empty:
// there is none.
std::string checkpoint_around(const fs::path& path) {
  constexpr int kLevels = 3;
  fs::path level = path.has_filename() ? path : path.parent_path();
  for (int i = 0; i < kLevels && level.has_filename(); ++i) {
    level = level.has_parent_path() ? level.parent_path() : fs::path(".");
    if (checkpoint::is_step(level)) {
      return fmt::format("; it is part of the checkpoint {}: name that", level.string());
    }
    if (checkpoint::has_steps(level / "checkpoints")) {
      return fmt::format("; it is part of the run {}: name that", level.string());
    }
  }
  return {};
}

// Detects the format by the file's first bytes; its extension matters only if these do not decide.
Checkpoint load_weights(const Requested& requested, const fs::path& named, bool with_optimizer,
                        Reporter& reporter) {
  if (is_index(requested.path)) {
    return load_tensors(read_indexed(requested.path, requested.threads), named, requested,
                        reporter);
  }
  switch (kind_of(requested.path)) {
    case WeightsKind::kSafetensors:
      return load_tensors(formats::read_safetensors(requested.path, requested.threads), named,
                          requested, reporter);
    case WeightsKind::kTorch: {
      Checkpoint loaded = from_pth(formats::read_pth(requested.path, requested.threads), named,
                                   with_optimizer, reporter, requested.weights);
      attach_facts(facts_of_arguments(loaded.state.value("args", nlohmann::json())), loaded,
                   /*must_fit=*/false, reporter);
      return loaded;
    }
    case WeightsKind::kOther:
      break;
  }
  const std::string beginning = formats::beginning_of(requested.path);
  std::error_code unknown;
  const uintmax_t size = fs::file_size(requested.path, unknown);
  std::string what =
      formats::describe_other_format(std::as_bytes(std::span(beginning)), unknown ? 0 : size);
  if (what.empty()) what = fmt::format("a file that begins with {}", first_bytes_of(beginning));
  fail(ExitCode::kCheckpoint,
       "{} is not a checkpoint but {}: expected a step-N folder, a run folder, a .pth or a "
       ".safetensors file{}",
       requested.path.string(), what, checkpoint_around(requested.path));
}

Checkpoint load_file(const Requested& requested, const fs::path& named, bool with_optimizer,
                     Reporter& reporter) {
  Checkpoint loaded = load_weights(requested, named, with_optimizer, reporter);
  if (!loaded.state.contains("recipe") && !loaded.state.contains(kFactsKey)) {
    const FolderFacts beside = facts_of_folder(requested.path.parent_path());
    if (!beside.fault.empty()) {
      reporter.info(fmt::format("{}; its facts about the weights are not used", beside.fault));
    }
    attach_facts(beside.facts, loaded, /*must_fit=*/false, reporter);
  }
  return loaded;
}

Checkpoint load_model_folder(const fs::path& folder, const fs::path& weights,
                             const Requested& requested, const fs::path& named,
                             Reporter& reporter) {
  const JsonFile config_file = read_json_object(folder / kConfigFile);
  if (!config_file.fault.empty()) fail(ExitCode::kCheckpoint, "{}", config_file.fault);
  const nlohmann::json& config = config_file.object;
  Checkpoint loaded =
      load_weights({weights, requested.weights, requested.threads}, named, false, reporter);
  loaded.format = "hf";
  const auto recipe = config.find("recipe");
  if (recipe != config.end() && recipe->is_string()) loaded.state["recipe"] = *recipe;
  if (!loaded.state.contains(kFactsKey)) {
    const FolderFacts beside = facts_of_folder(folder);
    if (!beside.fault.empty()) fail(ExitCode::kCheckpoint, "{}", beside.fault);
    attach_facts(beside.facts, loaded, /*must_fit=*/true, reporter);
  }
  return loaded;
}

Checkpoint load_newest_or_fail(const fs::path& folder, bool with_optimizer, Reporter& reporter) {
  std::optional<Checkpoint> newest = checkpoint::load_newest(folder, with_optimizer, reporter);
  if (!newest) fail(ExitCode::kCheckpoint, "{} holds no checkpoint yet", folder.string());
  return std::move(*newest);
}

// Replaces the weights by their moving average if that was requested by name.
Checkpoint with_requested_weights(Checkpoint loaded, const Requested& requested,
                                  const fs::path& named) {
  if (requested.weights.empty()) return loaded;
  std::vector<formats::TensorView> average;
  const std::string_view prefix = checkpoint::kEmaPrefix;
  for (formats::TensorView tensor : loaded.optimizer.tensors) {
    if (requested.weights != kAverageName || !tensor.name.starts_with(prefix)) continue;
    tensor.name.erase(0, prefix.size());
    average.push_back(std::move(tensor));
  }
  if (average.empty()) {
    fail(ExitCode::kCheckpoint,
         "{} has no weights called {}; a run has its own, and {} if it keeps a moving average",
         requested.path.string(), requested.weights, kAverageName);
  }
  loaded.model.tensors = std::move(average);
  loaded.optimizer.tensors.clear();
  loaded.path = named;
  return loaded;
}

bool holds(const fs::path& folder, const char* name) {
  return is_there(folder / name, ExitCode::kCheckpoint);
}

void refuse_link_to_nothing(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_symlink(path, ignored) || fs::exists(path, ignored)) return;
  fail(ExitCode::kCheckpoint, "{} is a link to {}, where there is nothing: download it again",
       path.string(), fs::read_symlink(path, ignored).string());
}

// "a, b, c and 4 more": the entries of a folder, in alphabetical order.
std::string entries_of(const fs::path& folder) {
  constexpr size_t kShown = 3;
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  std::ranges::sort(names);
  const size_t count = names.size();
  if (count > kShown) names.resize(kShown);
  if (names.empty()) return "nothing";
  return fmt::format("{}{}", fmt::join(names, ", "),
                     count > kShown ? fmt::format(" and {} more", count - kShown) : "");
}

[[noreturn]] void refuse_folder(const fs::path& path) {
  const std::string files = weights_like(path), around = checkpoint_around(path);
  const bool is_data = holds(path, "train") || holds(path, "val");
  fail(ExitCode::kCheckpoint,
       "{} is neither a checkpoint (step-N with a manifest.json), nor a run folder (with "
       "checkpoints/), nor a folder with {} and {} (or pytorch_model.bin, or several files with "
       "their index); {}",
       path.string(), kConfigFile, kModelFile,
       !files.empty()    ? fmt::format("to use a file in it, name it: {}", files)
       : !around.empty() ? around.substr(2)
                         : fmt::format("it holds {}{}", entries_of(path),
                                       is_data ? ", so it may be a data set, for --data" : ""));
}

// For the message about a path that does not exist: what exists instead.
std::string found_instead(const fs::path& path) {
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  if (!is_there(folder, ExitCode::kCheckpoint)) {
    return fmt::format(", nor does {}", folder.string());
  }
  if (!is_folder(folder, ExitCode::kCheckpoint)) {
    return fmt::format(": {} is a file", folder.string());
  }
  const bool of_steps = path.filename().string().starts_with("step-");
  return of_steps ? fmt::format("; {} holds {}", folder.string(), entries_of(folder)) : "";
}

Checkpoint load_folder(const Requested& requested, const fs::path& named, bool with_optimizer,
                       Reporter& reporter) {
  const fs::path& path = requested.path;
  with_optimizer = with_optimizer || !requested.weights.empty();
  if (checkpoint::is_step(path)) {
    return with_requested_weights(checkpoint::load_step(path, with_optimizer), requested, named);
  }
  std::error_code ignored;  // a dangling link counts as existing, so that reading reports it
  const bool has_config = fs::exists(fs::symlink_status(path / kConfigFile, ignored));
  const std::optional<FoundWeights> weights = has_config ? find_weights(path) : std::nullopt;
  if (weights) {
    refuse_link_to_nothing(weights->file);
    for (const std::string& other : weights->skipped) {
      reporter.info(
          fmt::format("{}: {}; using {}", path.string(), other, weights->file.filename().string()));
    }
    return load_model_folder(path, weights->file, requested, named, reporter);
  }
  if (holds(path, kModelFile)) {
    fail(ExitCode::kCheckpoint,
         "{} has no manifest.json, so it is not a complete checkpoint; to use only its weights, "
         "name "
         "{}",
         path.string(), (path / kModelFile).string());
  }
  for (const fs::path& steps : {path / "checkpoints", path}) {
    const bool is_place =
        steps == path ? checkpoint::has_steps(path) : is_folder(steps, ExitCode::kCheckpoint);
    if (is_place) {
      return with_requested_weights(load_newest_or_fail(steps, with_optimizer, reporter), requested,
                                    named);
    }
  }
  if (const std::optional<fs::path> snapshot = snapshot_in(path)) {
    reporter.info(fmt::format("{}: using {}", path.string(), snapshot->string()));
    return load_folder({*snapshot, requested.weights, requested.threads}, named, with_optimizer,
                       reporter);
  }
  refuse_folder(path);
}

// Compares the CRC-32 checksums in PyTorch's files, which load_any does not.
void verify_checksums(const fs::path& path, int64_t threads) {
  if (is_folder(path, ExitCode::kCheckpoint)) {
    if (const auto weights = find_weights(snapshot_in(path).value_or(path)))
      verify_checksums(weights->file, threads);
  } else if (is_index(path)) {
    for (const fs::path& file : files_of_index(path)) verify_checksums(file, threads);
  } else if (kind_of(path) == WeightsKind::kTorch) {
    formats::verify_pth(path, threads);
  }
}

// Warns of a file that was allocated and never filled, or that lost its content. Biases and heads
// are not considered, because they may be zero.
void warn_of_zeros(const Checkpoint& loaded, Reporter& reporter) {
  if (loaded.format == "native") return;
  size_t weights = 0, zeros = 0;
  std::string first;
  for (const formats::TensorView& tensor : loaded.model.tensors) {
    const bool of_head = has_role(tensor.name, {TensorRole::kHead, TensorRole::kHeadNorm});
    if (!tensor.name.ends_with("weight") || of_head || tensor.bytes.empty()) continue;
    ++weights;
    if (!std::ranges::all_of(tensor.bytes, [](std::byte one) { return one == std::byte{}; }))
      continue;
    if (zeros++ == 0) first = tensor.name;
  }
  if (zeros == 0) return;
  reporter.warn(fmt::format("{}: {} of its {} weights are zero throughout, {} the first",
                            loaded.path.string(), zeros, weights, first));
}

}  // namespace

Checkpoint load_any(const fs::path& path, bool with_optimizer, Reporter& reporter,
                    int64_t threads) {
  if (path.empty()) fail(ExitCode::kUsage, "the path of the checkpoint is empty");
  Requested requested = requested_of(path, threads);
  refuse_link_to_nothing(requested.path);
  if (!is_there(requested.path, ExitCode::kCheckpoint)) {
    fail(ExitCode::kCheckpoint, "checkpoint {} does not exist{}", path.string(),
         found_instead(requested.path));
  }
  // For the weights file of one of this program's checkpoints, load the whole step with its state.
  const fs::path step = requested.path.parent_path();
  if (requested.path.filename() == kModelFile && checkpoint::is_step(step)) requested.path = step;
  Checkpoint loaded = is_folder(requested.path, ExitCode::kCheckpoint)
                          ? load_folder(requested, path, with_optimizer, reporter)
                          : load_file(requested, path, with_optimizer, reporter);
  warn_of_zeros(loaded, reporter);
  return loaded;
}

std::vector<fs::path> verify_any(const fs::path& path, int64_t threads) {
  if (is_folder(path, ExitCode::kCheckpoint)) {
    const fs::path inner = path / "checkpoints";
    const fs::path steps = is_folder(inner, ExitCode::kCheckpoint) ? inner : path;
    if (checkpoint::is_step(path)) return checkpoint::verify_steps(path);
    if (checkpoint::has_steps(steps)) return checkpoint::verify_steps(steps);
  }
  SilentReporter silence;
  load_any(path, true, silence, threads);
  verify_checksums(requested_of(path, threads).path, threads);
  return {path};
}

}  // namespace fcm::interop
