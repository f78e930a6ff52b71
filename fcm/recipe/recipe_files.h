// Recipe files; those shipped with the program are found by name.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "fcm/recipe/recipe.h"

namespace fcm::recipe {

// Every *.toml below the folders, sorted by name (without .toml). If a name occurs twice, the
// earlier folder wins. Missing folders are skipped.
std::vector<std::filesystem::path> shipped_recipes(
    const std::vector<std::filesystem::path>& folders);

// The file for the value of `--recipe`: a path if there is such a file, else a shipped recipe of
// that name. Otherwise throws Error(kUsage), which suggests the nearest name for a mistyped one.
std::filesystem::path find_recipe(const std::string& name_or_file,
                                  const std::vector<std::filesystem::path>& folders);

// The text of a recipe. Throws Error(kUsage) for a file that is unreadable, too large to be a
// recipe or of another kind.
std::string read_recipe_file(const std::filesystem::path& file);

// Finds, reads, overrides and checks a recipe of any task.
Recipe load_recipe(const std::string& name_or_file,
                   const std::vector<std::filesystem::path>& folders,
                   const std::vector<std::string>& overrides);

// The same only for pretraining, or only for the supervised tasks. For other recipes these throw
// Error(kUsage) that says what to use instead.
Recipe load_pretraining_recipe(const std::string& name_or_file,
                               const std::vector<std::filesystem::path>& folders,
                               const std::vector<std::string>& overrides);
Recipe load_supervised_recipe(const std::string& name_or_file,
                              const std::vector<std::filesystem::path>& folders,
                              const std::vector<std::string>& overrides);

}  // namespace fcm::recipe
