// The command report: an HTML page about a run folder, or one that compares several.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/checkpoint/checkpoint.h"
#include "fcm/recipe/recipe.h"
#include "fcm/tasks/output_file.h"
#include "fcm/tasks/report_input.h"
#include "fcm/tasks/run_facts.h"
#include "fcm/tasks/run_files.h"
#include "fcm/tasks/tasks.h"
#include "fcm/train/run_log.h"
#include "fcm/viz/comparison.h"

namespace fcm::tasks {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;

// The number at the end of a sheet's name; -1 if there is none.
int64_t step_of(const fs::path& sheet) {
  const std::string stem = sheet.stem().string();
  const size_t start = stem.find_last_not_of("0123456789") + 1;
  int64_t step = -1;
  std::from_chars(stem.data() + start, stem.data() + stem.size(), step);
  return step;
}

// The caption of the run's sheets. The keys of the log show the kind of run.
const char* sheets_show(const std::vector<json>& log) {
  const auto logs = [&](const char* one, const char* other) {
    return std::any_of(log.begin(), log.end(), [&](const json& line) {
      return line.contains(one) || line.contains(other);
    });
  };
  if (logs("loss_decode", "test_miou")) {
    return "Images with labels and predictions";
  }
  if (logs("loss_rpn_cls", "test_box_ap")) return "Labelled and detected objects";
  return "Visible patches of each view and reconstructions";
}

std::vector<viz::ReportImage> newest_images(const fs::path& folder, const std::vector<json>& log) {
  std::vector<std::pair<int64_t, fs::path>> sheets;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    const fs::path& path = entry.path();
    if (path.extension() == ".png") sheets.emplace_back(step_of(path), path);
  }
  if (sheets.empty()) return {};
  const fs::path newest = std::max_element(sheets.begin(), sheets.end())->second;
  const std::string bytes = read_file(newest, ExitCode::kUsage);
  return {{fmt::format("{} ({})", sheets_show(log), newest.stem().string()),
           {bytes.begin(), bytes.end()}}};
}

// The images that were replaced in training, one line each.
std::vector<std::string> faults_of(const std::vector<nlohmann::json>& log) {
  std::vector<std::string> faults;
  for (const nlohmann::json& line : log) {
    if (line.contains("bad_sample")) {
      faults.push_back(fmt::format("step {}: replaced an image: {}", line.value("step", 0),
                                   line.value("reason", "")));
    }
  }
  return faults;
}

std::string percent(const json& value) {
  return value.is_number() ? fmt::format("{:.2f}", value.get<double>()) : "–";
}

// Class names for the page, at most 200.
std::string all_of(const std::vector<std::string>& classes) {
  constexpr size_t kMost = 200;
  const size_t shown = std::min(kMost, classes.size());
  std::string text = fmt::format("{}", fmt::join(classes.begin(), classes.begin() + shown, ", "));
  return shown == classes.size() ? text : fmt::format("{}, ... ({} in all)", text, classes.size());
}

// The results of `demo --full`.
viz::ReportTable finetune_table(const nlohmann::json& finetune) {
  viz::ReportTable table;
  table.title = "Fine-tuning: top-1 accuracy after each epoch, in percent";
  table.headers = {"start"};
  const nlohmann::json& by_epoch = finetune.at("by_epoch");
  for (size_t epoch = 1; epoch <= by_epoch.at("pretrained").size(); ++epoch) {
    table.headers.push_back(fmt::format("epoch {}", epoch));
  }
  table.headers.emplace_back("at the end");
  for (const auto& [key, name] :
       {std::pair{"pretrained", "pretrained encoder"}, std::pair{"scratch", "from scratch"}}) {
    std::vector<std::string> row = {name};
    for (const nlohmann::json& top1 : by_epoch.at(key)) {
      row.push_back(percent(top1));
    }
    row.push_back(percent(finetune.at(key)));
    table.rows.push_back(row);
  }
  table.note =
      "Both runs have the same network, images, steps and learning rates, and train all weights.";
  return table;
}

// The result of a finished run; null if there is no such file.
json result_in(const fs::path& file) {
  if (!is_there(file, ExitCode::kUsage)) return {};
  json result = json::parse(read_file(file, ExitCode::kUsage), nullptr, false);
  if (!result.is_object()) {
    fail(ExitCode::kUsage, "{} is not a JSON object, so it is not a result of a run; move it away",
         file.string());
  }
  return result;
}

// Adds the result of the run to the page. Without a result, adds the notes that follow from the
// newest checkpoint.
void take_result(const fs::path& file, const StoredRun& run, viz::ReportInput& input) {
  const json& result = run.result;
  if (result.is_null()) {
    input.notes = notes_about(run.about);
    return;
  }
  input.summary.update(result);
  try {
    if (result.contains("finetune")) input.tables.push_back(finetune_table(result.at("finetune")));
  } catch (const json::exception&) {
    fail(ExitCode::kUsage,
         "{}: its \"finetune\" was not written by this program; move the file away", file.string());
  }
  for (const json& note : result.value("notes", json::array())) {
    if (note.is_string()) input.notes.push_back(note);
  }
}

// Adds a table of the data sets that were trained on and measured, from the newest checkpoint.
void add_images(const json& about, viz::ReportInput& input) {
  viz::ReportTable table;
  table.title = "Images";
  table.headers = {"", "data", "split", "images", "classes", "hash of the list"};
  std::vector<std::string> classes;
  for (const auto& [name, text] :
       {std::pair{kPretrainedOn, "pretrained on"}, std::pair{kTrainedOn, "trained on"},
        std::pair{kMeasuredOn, "measured on"}}) {
    const std::optional<ImageSet> set = stored_set(about, name);
    if (!set) continue;
    if (!set->classes.empty()) classes = set->classes;
    table.rows.push_back({text, set->data, set->split, fmt::format("{}", set->images),
                          set->classes.empty() ? "–" : fmt::format("{}", set->classes.size()),
                          set->list_hash});
  }
  if (table.rows.empty()) return;
  if (!input.summary.contains("data")) {
    if (const auto set = stored_set(about, kTrainedOn)) input.summary["data"] = set->data;
  }
  if (!classes.empty()) table.note = "Classes by index: " + all_of(classes);
  input.tables.push_back(table);
}

// Whether the run folder holds a report.html that this program did not write.
bool holds_foreign_page(const fs::path& folder) {
  const fs::path page = folder / "report.html";
  std::error_code ignored;
  return fs::symlink_status(page, ignored).type() == fs::file_type::regular &&
         !is_page_of_ours(page);
}

void refuse_foreign_page(const fs::path& folder) {
  const fs::path page = folder / "report.html";
  refuse_link(page, ExitCode::kUsage);
  if (!is_run(folder)) refuse_link_or_temporary(page);
  if (!holds_foreign_page(folder)) return;
  fail(ExitCode::kUsage, "{} was not written by fastconvmae, so it is not replaced; move it away",
       page.string());
}

void refuse_what_is_no_run(const fs::path& path) {
  if (path.empty()) fail(ExitCode::kUsage, "the path of a run folder is empty");
  if (is_there(path / "recipe.toml", ExitCode::kUsage)) return;
  const fs::path whole = path.has_filename() ? path : path.parent_path();
  const fs::path around = whole.has_parent_path() ? whole.parent_path() : fs::path(".");
  const char* why = "";
  if (!is_there(path, ExitCode::kUsage)) {
    why = " (it does not exist)";
  } else if (!is_folder(path, ExitCode::kUsage)) {
    why = " (it is a file)";
  }
  const bool in_run = is_there(around / "recipe.toml", ExitCode::kUsage);
  fail(ExitCode::kUsage, "{} is not a run folder: it has no recipe.toml{}{}", path.string(), why,
       in_run ? fmt::format("; name the run itself, {}", around.string()) : "");
}

}  // namespace

StoredRun stored_run(const fs::path& run_dir) {
  refuse_what_is_no_run(run_dir);
  StoredRun run;
  run.recipe_toml = read_file(run_dir / "recipe.toml", ExitCode::kUsage);
  run.recipe = recipe::read_stored_recipe(run.recipe_toml, (run_dir / "recipe.toml").string());
  run.log = train::read_log(run_dir / "log.jsonl");
  run.about = checkpoint::newest_state(run_dir / "checkpoints").value_or(json::object());
  if (!run.about.is_object()) run.about = json::object();
  run.result = result_in(run_dir / "result.json");
  return run;
}

viz::ReportInput report_input(const fs::path& run_dir) {
  const StoredRun run = stored_run(run_dir);
  const recipe::Recipe& recipe = run.recipe;
  viz::ReportInput input;
  input.recipe_toml = run.recipe_toml;
  input.title = recipe.row.name;
  input.log = run.log;
  input.faults = faults_of(input.log);
  input.images = newest_images(run_dir / "pictures", input.log);
  input.summary = {{"name", recipe.row.about},
                   {"seed", recipe.run.seed},
                   {"batch_size", recipe.optim.batch_size}};
  take_result(run_dir / "result.json", run, input);
  add_images(run.about, input);
  return input;
}

void report(const fs::path& run_dir, Reporter& reporter) {
  if (holds_foreign_page(run_dir)) {  // a warning, since an error would end hours of training
    return reporter.warn(fmt::format(
        "{} was not written by fastconvmae, so it is not replaced; write one elsewhere with "
        "fastconvmae report {} --out FILE.html",
        (run_dir / "report.html").string(), run_dir.string()));
  }
  report(ReportRequest{.runs = {run_dir}}, reporter);
}

fs::path report(const ReportRequest& request, Reporter& reporter) {
  require(!request.runs.empty(), "expected at least one run for a report");
  const bool several = request.runs.size() > 1, in_run = !several && request.out.empty();
  const fs::path& first = request.runs.front();
  const fs::path page = in_run                ? first / "report.html"
                        : request.out.empty() ? fs::path("report.html")
                                              : request.out;
  if (in_run) {
    refuse_foreign_page(first);
  } else {
    refuse_other_ending(page, {".html", ".htm"});
    refuse_to_replace(page, FileKind::kPage, request.overwrite, {});
  }
  write_file_durably(page,
                     several ? viz::render_comparison(comparison_of(request.runs))
                             : viz::render_report(report_input(first)),
                     ExitCode::kUsage);
  reporter.info(fmt::format("wrote {}", page.string()));
  return page;
}

}  // namespace fcm::tasks
