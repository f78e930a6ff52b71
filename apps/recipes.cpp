#include "apps/recipes.h"

#include <fmt/format.h>

#include <set>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/recipe/recipe_files.h"

namespace fcm::apps {
namespace fs = std::filesystem;
namespace {

// Returns all --set assignments and that of --seed. Of several --set of one key, the last one
// counts, so that scripts can append arguments. Throws Error(kUsage) if --seed contradicts a --set
// of run.seed, because their order on the command line is not known here.
std::vector<std::string> overrides_of(const RecipeChoice& choice) {
  std::vector<std::string> overrides = choice.set;
  if (!choice.seed) return overrides;
  const std::string seed = fmt::format("run.seed={}", *choice.seed);
  for (const std::string& assignment : choice.set) {
    if (!assignment.starts_with("run.seed=") || assignment == seed) continue;
    fail(ExitCode::kUsage, "--seed {} contradicts --set {}; leave one out", *choice.seed,
         assignment);
  }
  overrides.push_back(seed);
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
  std::error_code ignored;  // without /proc the folders are relative to the working folder
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
