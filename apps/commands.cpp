#include "apps/commands.h"

#include <fmt/format.h>

#include <cstdlib>

#include "fcm/recipe/recipe_files.h"

namespace fcm::apps {
namespace fs = std::filesystem;

std::vector<fs::path> recipe_folders() {
  const fs::path program = fs::read_symlink("/proc/self/exe").parent_path();
  return {(program / "../share/fastconvmae/recipes").lexically_normal(),
          (program / "../../recipes").lexically_normal()};
}

fs::path cache_folder() {
  // As the XDG base directory specification has it: relative ones do not count.
  const char* const cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache == '/') return fs::path(cache) / "fastconvmae/lists";
  const char* const home = std::getenv("HOME");
  if (home != nullptr && *home == '/') return fs::path(home) / ".cache/fastconvmae/lists";
  return {};
}

std::vector<std::string> overrides_of(const Options& options) {
  std::vector<std::string> overrides = options.set;
  if (options.seed) overrides.push_back(fmt::format("run.seed={}", *options.seed));
  return overrides;
}

tasks::Machine machine_of(const Options& options) {
  return {options.device, options.threads, cache_folder(), options.cuda_graph};
}

recipe::Recipe recipe_of(const Options& options, const std::string& name_or_file) {
  return recipe::load_pretraining_recipe(name_or_file, recipe_folders(), overrides_of(options));
}

recipe::Recipe finetune_recipe_of(const Options& options, const std::string& name_or_file) {
  return recipe::load_classification_recipe(name_or_file, recipe_folders(), overrides_of(options));
}

bool names_finetune_recipe(const std::string& name_or_file) {
  const std::string file = recipe::find_recipe(name_or_file, recipe_folders()).string();
  return recipe::recipe_for_task_of(recipe::read_recipe_file(file), file).is<recipe::Classify>();
}

int run_command(const Options& options, Reporter& reporter) {
  if (options.command.starts_with("recipe ")) return run_recipe_command(options, reporter);
  if (options.command.starts_with("data ")) return run_data_command(options, reporter);
  if (options.command.starts_with("checkpoint ")) return run_checkpoint_command(options, reporter);
  return run_task(options, reporter);
}

}  // namespace fcm::apps
