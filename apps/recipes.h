// Which recipe a command line names, and reading it: one function for each task.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "apps/flags.h"
#include "fcm/config/fields.h"
#include "fcm/recipe/recipe.h"

namespace fcm::apps {

struct RecipeChoice {
  std::string name;              // of a shipped one, or a file
  std::vector<std::string> set;  // SECTION.KEY=VALUE
  std::optional<int64_t> seed;   // the same as run.seed=N behind them
};

// --recipe
Flag add_recipe(Flags& flags, std::string& name);
// --set
Flag add_set(Flags& flags, RecipeChoice& choice);
// --seed
Flag add_seed(Flags& flags, RecipeChoice& choice);

// A recipe of each task, with the defaults of all keys: together they have every key there is.
std::vector<recipe::Recipe> one_of_each_task();
// Those keys, each once. They point into `tasks`.
std::vector<config::Field> all_keys(std::vector<recipe::Recipe>& tasks);

// Where the recipes that ship with the program may lie: installed, and in the build tree.
std::vector<std::filesystem::path> recipe_folders();

// Throw Error(kUsage) for a recipe that is not there, is for another task or has a fault.
recipe::Recipe pretraining_recipe(const RecipeChoice& choice);
recipe::Recipe supervised_recipe(const RecipeChoice& choice);
recipe::Recipe any_recipe(const RecipeChoice& choice);

}  // namespace fcm::apps
