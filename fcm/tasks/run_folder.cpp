#include "fcm/tasks/run_folder.h"

#include <sstream>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/base/file.h"

namespace fcm::tasks {
namespace fs = std::filesystem;
namespace {

bool is_run(const fs::path& folder) { return fs::exists(folder / "recipe.toml"); }

// The first line in which two recipes differ, for the message.
std::string first_difference(const std::string& before, const std::string& now) {
  std::istringstream old_lines(before), new_lines(now);
  std::string old_line, new_line;
  while (std::getline(old_lines, old_line) && std::getline(new_lines, new_line)) {
    if (old_line != new_line) {
      return fmt::format("it was \"{}\" and is now \"{}\"", old_line, new_line);
    }
  }
  return "they have different keys";
}

void refuse_other_recipe(const fs::path& out, const std::string& new_text) {
  const fs::path file = out / "recipe.toml";
  const std::string old_text =
      defining_text(recipe::read_stored_recipe(read_file(file, ExitCode::kUsage), file.string()));
  if (old_text == new_text) return;
  fail(ExitCode::kUsage,
       "{} holds a run with another recipe: {}; choose another --out, or pass --overwrite to "
       "replace it",
       out.string(), first_difference(old_text, new_text));
}

}  // namespace

void prepare_run_folder(const RunFolderRequest& request, const recipe::Recipe& recipe,
                        Reporter& reporter) {
  const fs::path& out = request.out;
  std::error_code error;
  const bool occupied = fs::exists(out, error) && !fs::is_empty(out, error);
  if (occupied && !is_run(out)) {
    fail(ExitCode::kUsage, "--out {} exists and is not a run of this program; choose another name",
         out.string());
  }
  if (occupied && request.overwrite) {
    reporter.info(fmt::format("replacing the run in {}", out.string()));
    fs::remove_all(out, error);
    if (error) fail(ExitCode::kUsage, "cannot remove {}: {}", out.string(), error.message());
  } else if (occupied && request.resume == "auto") {
    refuse_other_recipe(out, defining_text(recipe));
  } else if (occupied) {
    fail(ExitCode::kUsage,
         "--out {} holds a run already; use --resume auto to continue it, --overwrite to replace "
         "it, or another --out",
         out.string());
  }
  fs::create_directories(out / "checkpoints", error);
  if (!error) fs::create_directories(out / "pictures", error);
  if (error) fail(ExitCode::kUsage, "cannot create {}: {}", out.string(), error.message());
  write_file_durably(out / "recipe.toml", recipe::print_recipe(recipe), ExitCode::kUsage);
}

std::string defining_text(const recipe::Recipe& recipe) {
  recipe::Recipe defining = recipe;
  defining.run = {};
  defining.run.seed = recipe.run.seed;
  return recipe::print_recipe(defining);
}

}  // namespace fcm::tasks
