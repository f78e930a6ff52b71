#include "fcm/tasks/run_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/checkpoint/checkpoint.h"
#include "fcm/tasks/run_files.h"
#include "fcm/train/run_log.h"

namespace fcm::tasks {
namespace fs = std::filesystem;
namespace {

// The first line that differs between two recipes, for the message.
std::string first_differing_part(const std::string& before, const std::string& now) {
  std::istringstream old_lines(before), new_lines(now);
  std::string old_line, new_line;
  while (std::getline(old_lines, old_line) && std::getline(new_lines, new_line)) {
    if (old_line != new_line) {
      return fmt::format("it was \"{}\" and is now \"{}\"", old_line, new_line);
    }
  }
  return "they have different keys";
}

struct Texts {
  std::string whole, defining;
};

// The texts of the recipe in a run folder, as this version prints it.
Texts stored_texts(const fs::path& file) {
  const recipe::Recipe recipe =
      recipe::read_stored_recipe(read_file(file, ExitCode::kUsage), file.string());
  return {recipe::print_recipe(recipe), defining_text(recipe)};
}

// Whether recipe.toml in `out` must be rewritten. Throws Error(kUsage) for another recipe.
bool recipe_changes(const fs::path& out, const Texts& now) {
  const fs::path file = out / "recipe.toml";
  if (std::error_code ignored; !fs::exists(file, ignored)) {
    fail(ExitCode::kUsage,
         "{} holds {} of a run, but no recipe.toml, so it is unknown whether that run can "
         "continue; choose another --out, or pass --overwrite to replace it",
         out.string(), name_in_the_way(out).value_or("nothing"));
  }
  const Texts before = stored_texts(file);
  if (before.defining == now.defining) return before.whole != now.whole;
  fail(ExitCode::kUsage,
       "{} holds a run with another recipe: {}; choose another --out, or pass --overwrite to "
       "replace it",
       out.string(), first_differing_part(before.defining, now.defining));
}

// Whether the run has any file beside its mark. An interrupted write of recipe.toml, the first
// file, does not count.
bool has_begun(const fs::path& run) {
  const auto name = name_in_the_way(run);
  return name && *name != "recipe.toml.tmp";
}

// Except the lock of a run that never started.
std::optional<std::string> first_name_in(const fs::path& folder) {
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name != kLockFile) return name;
  }
  return std::nullopt;
}

// If `out` is not a run: a run may be started beside other files, but replaces none.
void refuse_what_is_not_ours(const RunFolderRequest& request) {
  const fs::path& out = request.out;
  if (is_there(out, ExitCode::kUsage) && !is_folder(out, ExitCode::kUsage)) {
    fail(ExitCode::kUsage, "--out {} is a file, expected a folder", out.string());
  }
  if (const auto name = name_in_the_way(out)) {
    fail(ExitCode::kUsage,
         "--out {} holds {} but is not a run of this program, so nothing in it is replaced; choose "
         "another name",
         out.string(), *name);
  }
  if (const auto first = request.overwrite ? first_name_in(out) : std::nullopt) {
    fail(ExitCode::kUsage,
         "--out {} holds {} but no run of this program that --overwrite could replace; choose "
         "another name, or leave out --overwrite to start a run beside it",
         out.string(), *first);
  }
}

// Checks that only concern the folder.
void refuse_folder(const RunFolderRequest& request) {
  if (!is_run(request.out)) return refuse_what_is_not_ours(request);
  if (!request.overwrite) refuse_links_at_files(request.out);
  const bool continues = request.overwrite || request.resume == "auto";
  if (continues || !has_begun(request.out)) return;
  fail(ExitCode::kUsage,
       "--out {} already holds a run; use --resume auto to continue it, --overwrite to replace "
       "it, or another --out",
       request.out.string());
}

// A run that was stopped before its first checkpoint starts again. So does one whose checkpoints
// were removed, about which the user should know.
void warn_of_lost_checkpoints(const fs::path& out, Reporter& reporter) {
  const fs::path log = out / "log.jsonl";
  if (checkpoint::has_steps(out / "checkpoints") || !is_there(log, ExitCode::kUsage)) return;
  int64_t step = 0;
  for (const nlohmann::json& line : train::read_log(log)) {
    step = std::max(step, line.value("step", int64_t{0}));
  }
  if (step == 0) return;
  reporter.warn(fmt::format(
      "{} has no checkpoint, and its log goes to step {}: the run starts again, with a new log",
      out.string(), step));
}

}  // namespace

RunLock lock_run_folder(const RunFolderRequest& request, Reporter& reporter) {
  refuse_folder(request);
  std::error_code error;
  fs::create_directories(request.out, error);
  if (error) fail(ExitCode::kUsage, "cannot create {}: {}", request.out.string(), error.message());
  return RunLock(request.out, reporter);
}

PreparedRun prepare_run_folder(const RunFolderRequest& request, const recipe::Recipe& recipe,
                               Reporter& reporter) {
  const fs::path& out = request.out;
  const Texts now{recipe::print_recipe(recipe), defining_text(recipe)};
  PreparedRun run;
  if (request.lock == nullptr) run.lock = lock_run_folder(request, reporter);
  refuse_folder(request);  // again: another process may have used it in between
  const bool exists = is_run(out) && has_begun(out);
  const bool continues = exists && !request.overwrite;
  if (continues) warn_of_lost_checkpoints(out, reporter);
  const bool write_recipe = !continues || recipe_changes(out, now);
  if (request.facts) {
    run.about = about_of(*request.facts, continues ? out : fs::path(), reporter);
  }
  if (exists && request.overwrite) {
    reporter.info(fmt::format("replacing the run in {}", out.string()));
    remove_run(out, reporter);
    remove_link_at_recipe(out);
  }
  std::error_code error;
  for (const char* name : {"checkpoints", "pictures"}) {
    if (!error) fs::create_directories(out / name, error);
  }
  if (error) fail(ExitCode::kUsage, "cannot create {}: {}", out.string(), error.message());
  if (!is_run(out)) mark_as_run(out);
  if (write_recipe) write_file_durably(out / "recipe.toml", now.whole, ExitCode::kUsage);
  return run;
}

std::string defining_text(const recipe::Recipe& recipe) {
  recipe::Recipe defining = recipe;
  defining.run = {};
  defining.run.seed = recipe.run.seed;
  defining.debug = {};
  defining.optim.shard = false;  // changes where the state is, not the bits
  return recipe::print_recipe(defining);
}

}  // namespace fcm::tasks
