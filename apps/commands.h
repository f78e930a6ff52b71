// One function a group of commands. Each prints its result and returns the exit status.
#pragma once

#include <filesystem>
#include <vector>

#include "apps/options.h"
#include "fcm/base/reporter.h"
#include "fcm/recipe/recipe.h"
#include "fcm/tasks/tasks.h"

namespace fcm::apps {

// Runs options.command. Throws what the library throws.
int run_command(const Options& options, Reporter& reporter);

int run_recipe_command(const Options& options, Reporter& reporter);  // list, show, check, keys
int run_data_command(const Options& options, Reporter& reporter);    // verify, pack
int run_checkpoint_command(const Options& options,
                           Reporter& reporter);            // show, convert, verify, diff
int run_task(const Options& options, Reporter& reporter);  // everything with a model

// Where the recipes that ship with the program may lie: installed, and in the build tree.
std::vector<std::filesystem::path> recipe_folders();

// Where lists of large data sets are kept: fastconvmae/lists in $XDG_CACHE_HOME or ~/.cache;
// empty without both.
std::filesystem::path cache_folder();

// --set, then --seed.
std::vector<std::string> overrides_of(const Options& options);
tasks::Machine machine_of(const Options& options);
recipe::Recipe recipe_of(const Options& options, const std::string& name_or_file);
recipe::Recipe finetune_recipe_of(const Options& options, const std::string& name_or_file);
// Whether the recipe of that name or file is one of fine-tuning.
bool names_finetune_recipe(const std::string& name_or_file);

}  // namespace fcm::apps
