#include "apps/recipes.h"

#include <fmt/format.h>

#include <map>
#include <set>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/recipe/recipe_files.h"

namespace fcm::apps {
namespace fs = std::filesystem;
namespace {

std::string key_of(const std::string& assignment) {
  return assignment.substr(0, assignment.find('='));
}

// Throws Error(kUsage) if two of them change the same key: one would be silently ignored.
std::vector<std::string> overrides_of(const RecipeChoice& choice) {
  std::vector<std::string> overrides = choice.set;
  if (choice.seed) overrides.push_back(fmt::format("run.seed={}", *choice.seed));
  std::map<std::string, std::string> known;
  for (const std::string& assignment : overrides) {
    const auto [before, is_new] = known.emplace(key_of(assignment), assignment);
    if (is_new || before->second == assignment) continue;
    fail(ExitCode::kUsage, "{} is set twice, {} and {}{}; leave one out", before->first,
         before->second, assignment, choice.seed && before->first == "run.seed" ? " (--seed)" : "");
  }
  return overrides;
}

}  // namespace

Flag add_recipe(Flags& flags, std::string& name) {
  return flags.add("--recipe", name, "NAME|FILE", "A recipe file, or the name of a shipped one");
}

Flag add_set(Flags& flags, RecipeChoice& choice) {
  return flags.add_repeated("--set", choice.set, "SECTION.KEY=VALUE",
                            "Change a recipe key; may be repeated");
}

Flag add_seed(Flags& flags, RecipeChoice& choice) {
  return flags.add("--seed", choice.seed, {0, 9'000'000'000'000'000},
                   "The same as --set run.seed=N");
}

std::vector<recipe::Recipe> one_of_each_task() {
  std::vector<recipe::Recipe> tasks(4);
  tasks[1].task = recipe::Classify{};
  tasks[2].task = recipe::Segment{};
  tasks[3].task = recipe::Detect{};
  return tasks;
}

std::vector<config::Field> all_keys(std::vector<recipe::Recipe>& tasks) {
  std::vector<config::Field> all;
  std::set<std::string> known;
  for (recipe::Recipe& task : tasks) {
    for (config::Field& field : config::fields_of(task)) {
      if (known.insert(field.name()).second) all.push_back(std::move(field));
    }
  }
  return all;
}

std::vector<fs::path> recipe_folders() {
  std::error_code ignored;  // without /proc there are no shipped recipes
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  return {(program / "../../share/fastconvmae/recipes").lexically_normal(),
          (program / "../../recipes").lexically_normal()};
}

recipe::Recipe pretraining_recipe(const RecipeChoice& choice) {
  return recipe::load_pretraining_recipe(choice.name, recipe_folders(), overrides_of(choice));
}

recipe::Recipe supervised_recipe(const RecipeChoice& choice) {
  return recipe::load_supervised_recipe(choice.name, recipe_folders(), overrides_of(choice));
}

recipe::Recipe any_recipe(const RecipeChoice& choice) {
  return recipe::load_recipe(choice.name, recipe_folders(), overrides_of(choice));
}

}  // namespace fcm::apps
