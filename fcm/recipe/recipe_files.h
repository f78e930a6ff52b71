// Recipes as files: those that ship with the program are found by name.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "fcm/recipe/recipe.h"

namespace fcm::recipe {

// Every *.toml below the folders, by name (the file's, without .toml). A name that occurs twice
// keeps the file of the earlier folder. Folders that do not exist hold none.
std::vector<std::filesystem::path> shipped_recipes(
    const std::vector<std::filesystem::path>& folders);

// The file that `--recipe` names: a path if there is such a file, else a shipped recipe. Throws
// Error(kUsage) with the nearest name.
std::filesystem::path find_recipe(const std::string& name_or_file,
                                  const std::vector<std::filesystem::path>& folders);

// The text of a recipe. Throws Error(kUsage) for a file that is too large to be one.
std::string read_recipe_file(const std::filesystem::path& file);

// Found, read, overridden and checked, whatever the task.
Recipe load_recipe(const std::string& name_or_file,
                   const std::vector<std::filesystem::path>& folders,
                   const std::vector<std::string>& overrides);

// The same for a caller that does one task. Error(kUsage) says which command a recipe for another
// task is for.
Recipe load_pretraining_recipe(const std::string& name_or_file,
                               const std::vector<std::filesystem::path>& folders,
                               const std::vector<std::string>& overrides);
Recipe load_supervised_recipe(const std::string& name_or_file,
                              const std::vector<std::filesystem::path>& folders,
                              const std::vector<std::string>& overrides);

}  // namespace fcm::recipe
