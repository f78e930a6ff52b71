// Collects the input of the page that compares several runs.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <system_error>
#include <utility>

#include "fcm/base/counted.h"
#include "fcm/base/error.h"
#include "fcm/base/text.h"
#include "fcm/recipe/values.h"
#include "fcm/tasks/image_set.h"
#include "fcm/tasks/report_input.h"

namespace fcm::tasks {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;

constexpr const char* kUnknown = "–";

// The canonical path of a folder.
fs::path place_of(const fs::path& run) {
  std::error_code error;
  const fs::path place = fs::weakly_canonical(run, error);
  return (error ? fs::absolute(run).lexically_normal() : place) / "";
}

void refuse_duplicate_runs(const std::vector<fs::path>& runs) {
  for (size_t i = 0; i < runs.size(); ++i) {
    for (size_t k = 0; k < i; ++k) {
      if (place_of(runs[i]) != place_of(runs[k])) continue;
      fail(ExitCode::kUsage, "{} is named twice{}; name each run once", runs[i].string(),
           runs[i] == runs[k] ? "" : fmt::format(", as {} too", runs[k].string()));
    }
  }
}

// The last `count` parts of the folder's path.
std::string last_parts(const fs::path& run, size_t count) {
  std::vector<std::string> parts;
  for (const fs::path& part : place_of(run).parent_path()) parts.push_back(part.string());
  std::string name;
  for (size_t i = parts.size() - std::min(count, parts.size()); i < parts.size(); ++i) {
    name += (name.empty() || name == "/" ? "" : "/") + parts[i];
  }
  return name;
}

// Names the runs by the shortest suffixes of their paths that are distinct.
std::vector<std::string> short_names(const std::vector<fs::path>& runs) {
  constexpr size_t kDeepest = 64;
  std::vector<std::string> names;
  for (size_t count = 1; count <= kDeepest; ++count) {
    names.clear();
    for (const fs::path& run : runs) names.push_back(last_parts(run, count));
    std::vector<std::string> sorted = names;
    std::sort(sorted.begin(), sorted.end());
    if (std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end()) break;
  }
  return names;
}

// Shortens a name that is too long for a legend to its two ends; the page's table has the whole
// path.
std::string shortened(const std::string& name) {
  constexpr size_t kMost = 48, kHead = 26, kTail = 20;
  const std::string text = fcm::printable(name);
  if (text.size() <= kMost) return text;
  const auto is_inside = [&](size_t at) {
    return (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80;
  };
  size_t head = kHead, tail = text.size() - kTail;
  while (is_inside(head)) --head;
  while (is_inside(tail)) ++tail;
  return text.substr(0, head) + "…" + text.substr(tail);
}

std::string kind_of(const recipe::Recipe& recipe) {
  if (recipe.is<recipe::Pretrain>()) return "pretraining";
  if (recipe.is<recipe::Segment>()) return "segmentation";
  if (recipe.is<recipe::Detect>()) return "detection";
  return recipe.classify().classifier.learns == "all" ? "fine-tuning" : "linear probe";
}

// A text about the data set `name` (kTrainedOn, kMeasuredOn ...) of a run's newest checkpoint.
std::string images_of(const StoredRun& run, const char* name) {
  if (const std::optional<ImageSet> set = stored_set(run.about, name)) {
    return fmt::format("{} ({}), {}, list {:.8}", set->data, set->split,
                       counted(set->images, "image", "images"), set->list_hash);
  }
  return kUnknown;
}

std::string text_in(const json& object, const char* key) {
  const auto found = object.find(key);
  const bool has =
      found != object.end() && found->is_string() && !found->get<std::string>().empty();
  return has ? found->get<std::string>() : kUnknown;
}

// Whether two of the values differ, unknown values excluded. A run without a decoder, for example,
// has no value for the keys of [decoder].
bool are_known_to_differ(std::vector<std::string> values) {
  std::erase(values, kUnknown);
  return std::adjacent_find(values.begin(), values.end(), std::not_equal_to<>()) != values.end();
}

std::string value_in(const recipe::Values& keys, const std::string& name) {
  const auto found =
      std::find_if(keys.begin(), keys.end(), [&](const auto& key) { return key.first == name; });
  return found == keys.end() ? kUnknown : found->second;
}

// The recipe keys whose values differ, in the order of the first recipe that has the key.
std::vector<viz::Difference> recipe_differences(const std::vector<StoredRun>& runs) {
  std::vector<recipe::Values> all;
  std::vector<std::string> names;
  for (const StoredRun& run : runs) {
    all.push_back(recipe::values_of(run.recipe));
    for (const auto& [name, value] : all.back()) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  }
  std::vector<viz::Difference> differences;
  for (const std::string& name : names) {
    std::vector<std::string> values;
    for (const recipe::Values& keys : all) values.push_back(value_in(keys, name));
    if (are_known_to_differ(values)) differences.push_back({name, std::move(values)});
  }
  return differences;
}

std::vector<viz::Difference> differences_of(const std::vector<StoredRun>& runs) {
  std::vector<viz::Difference> differences;
  const auto add = [&](const char* title, const auto& text) {
    std::vector<std::string> values;
    for (const StoredRun& run : runs) values.push_back(text(run));
    if (are_known_to_differ(values)) differences.push_back({title, std::move(values)});
  };
  for (const auto& [key, title] : {std::pair{kPretrainedOn, "pretrained on"},
                                   {kTrainedOn, "trained on"},
                                   {kMeasuredOn, "measured on"}}) {
    add(title, [key](const StoredRun& run) { return images_of(run, key); });
  }
  add("started from", [](const StoredRun& run) { return text_in(run.about, "started_from"); });
  for (viz::Difference& one : recipe_differences(runs)) differences.push_back(std::move(one));
  return differences;
}

bool differs(const std::vector<viz::Difference>& differences, const char* beginning) {
  return std::any_of(differences.begin(), differences.end(),
                     [&](const viz::Difference& one) { return one.name.starts_with(beginning); });
}

// A note if recipe.toml differs from the recipe in the newest checkpoint. This is the case if the
// run was started again with other keys of [run] or [debug] and has not saved since.
std::string note_on_another_recipe(const std::string& name, const StoredRun& run) {
  const std::string stored = text_in(run.about, "recipe");
  if (stored == kUnknown) return {};
  const recipe::Values now = recipe::values_of(run.recipe),
                       before = recipe::values_of(recipe::read_stored_recipe(stored, name));
  std::string changed;
  for (const auto& [key, value] : now) {
    const std::string former = value_in(before, key);
    if (former == value || former == kUnknown) continue;
    changed +=
        fmt::format("{}{} was {} and is {}", changed.empty() ? "" : "; ", key, former, value);
  }
  if (changed.empty()) return {};
  return fmt::format("{}: its recipe has changed since its newest checkpoint: {}.", name, changed);
}

std::vector<std::string> notes_on(const viz::ComparisonInput& input,
                                  const std::vector<StoredRun>& runs) {
  std::vector<std::string> notes;
  const auto& all = input.runs;
  const bool several_kinds = std::any_of(
      all.begin(), all.end(), [&](const auto& run) { return run.kind != all.front().kind; });
  if (several_kinds) {
    notes.push_back(
        "The runs have different tasks. Their losses measure different things, so each task has "
        "its own chart, and only figures in one row can be compared.");
  }
  for (const char* section : {"targets.", "masks.", "augment.", "classifier.", "segmenter.",
                              "detector.", "pipeline.", "jitter."}) {
    if (several_kinds || !differs(input.differences, section)) continue;
    notes.push_back(fmt::format(
        "The keys of [{}] differ, so the losses measure different things: a lower loss need not "
        "mean a better run.",
        std::string(section, std::char_traits<char>::length(section) - 1)));
  }
  if (differs(input.differences, "measured on")) {
    notes.push_back("The runs were measured on different images, see the table at the end.");
  }
  for (size_t i = 0; i < runs.size(); ++i) {
    const std::string note = note_on_another_recipe(all[i].name, runs[i]);
    if (!note.empty()) notes.push_back(note);
  }
  return notes;
}

}  // namespace

viz::ComparisonInput comparison_of(const std::vector<fs::path>& run_dirs) {
  if (run_dirs.size() > viz::kMostComparedRuns) {
    fail(ExitCode::kUsage, "got {} runs, and a page shows at most {}; leave some out",
         run_dirs.size(), viz::kMostComparedRuns);
  }
  refuse_duplicate_runs(run_dirs);
  std::vector<StoredRun> runs;
  for (const fs::path& folder : run_dirs) runs.push_back(stored_run(folder));
  const std::vector<std::string> names = short_names(run_dirs);
  viz::ComparisonInput input;
  for (size_t i = 0; i < runs.size(); ++i) {
    const StoredRun& run = runs[i];
    input.runs.push_back({.name = shortened(names[i]),
                          .folder = fcm::printable(run_dirs[i].string()),
                          .recipe = run.recipe.row.name,
                          .kind = kind_of(run.recipe),
                          .batch_size = static_cast<double>(run.recipe.optim.batch_size),
                          .has_result = run.result.is_object(),
                          .summary = run.result,
                          .log = run.log});
  }
  input.differences = differences_of(runs);
  input.notes = notes_on(input, runs);
  return input;
}

}  // namespace fcm::tasks
