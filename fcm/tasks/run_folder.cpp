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

// Whether the run has a file besides its mark and lock. The .tmp file of an interrupted write of
// recipe.toml, which is written first, does not count.
bool has_begun(const fs::path& run) {
  const auto name = name_in_the_way(run);
  return name && *name != "recipe.toml.tmp";
}

// The first name in a folder; ignores the lock file, which a run that never started leaves behind.
std::optional<std::string> first_name_in(const fs::path& folder) {
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name != kLockFile) return name;
  }
  return std::nullopt;
}

// Checks a folder `out` that is not a run: a run may be started next to other files, but replaces
// none of them.
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
         "another name, or leave out --overwrite to start a run next to it",
         out.string(), *first);
  }
}

// Throws Error(kUsage) if the folder cannot be used. Checks only what does not depend on the
// recipe.
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

// Warns if the run has a log but no checkpoint. A run that was stopped before its first checkpoint
// starts again from scratch. So does a run whose checkpoints were removed, which the user may not
// expect.
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
  refuse_folder(request);  // again, because another process may have used the folder meanwhile
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
  defining.optim.shard = false;  // changes which rank holds the state, but no bits
  return recipe::print_recipe(defining);
}

}  // namespace fcm::tasks
