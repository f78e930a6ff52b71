// Reads the recipe that a command line names.
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
  std::string name;              // the name of a shipped recipe, or a file
  std::vector<std::string> set;  // SECTION.KEY=VALUE
  std::optional<int64_t> seed;   // overrides run.seed
};

// --recipe
Flag add_recipe(Flags& flags, std::string& name);
// --set
Flag add_set(Flags& flags, RecipeChoice& choice);
// --seed
Flag add_seed(Flags& flags, RecipeChoice& choice);

// One recipe per task, each with the defaults of its keys. Together they have every recipe key.
std::vector<recipe::Recipe> one_of_each_task();
// The keys of all `tasks`, each once. The fields point into `tasks`.
std::vector<config::Field> all_keys(std::vector<recipe::Recipe>& tasks);

// The folders that may hold the shipped recipes: that of an installation and that of the build
// tree.
std::vector<std::filesystem::path> recipe_folders();

// Read the recipe that `choice` names. Throw Error(kUsage) if it is not found or has a fault;
// pretraining_recipe and supervised_recipe also if it is for another task.
recipe::Recipe pretraining_recipe(const RecipeChoice& choice);
recipe::Recipe supervised_recipe(const RecipeChoice& choice);
recipe::Recipe any_recipe(const RecipeChoice& choice);

}  // namespace fcm::apps
