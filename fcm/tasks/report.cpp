// report.html of a run folder.
#include <fmt/format.h>

#include <algorithm>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/recipe/recipe.h"
#include "fcm/tasks/report_input.h"
#include "fcm/tasks/tasks.h"
#include "fcm/train/run_log.h"

namespace fcm::tasks {
namespace fs = std::filesystem;
namespace {

std::vector<viz::ReportPicture> newest_pictures(const fs::path& folder) {
  std::vector<fs::path> paths;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".png") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  if (paths.empty()) return {};
  const std::string bytes = read_file(paths.back(), ExitCode::kUsage);
  return {{fmt::format("What each view saw and what the model made of it ({})",
                       paths.back().stem().string()),
           {bytes.begin(), bytes.end()}}};
}

// Replaced pictures, one line each.
std::vector<std::string> faults_of(const std::vector<nlohmann::json>& log) {
  std::vector<std::string> faults;
  for (const nlohmann::json& line : log) {
    if (line.contains("bad_sample")) {
      faults.push_back(fmt::format("step {}: replaced a picture: {}", line.value("step", 0),
                                   line.value("reason", "")));
    }
  }
  return faults;
}

// What `demo --full` found.
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
      row.push_back(fmt::format("{:.2f}", top1.get<double>()));
    }
    row.push_back(fmt::format("{:.2f}", finetune.at(key).get<double>()));
    table.rows.push_back(row);
  }
  table.note = "The same network, pictures, steps and rates; all weights are trained.";
  return table;
}

}  // namespace

viz::ReportInput report_input(const fs::path& run_dir) {
  if (!fs::exists(run_dir / "recipe.toml")) {
    fail(ExitCode::kUsage, "{} is not a run folder: it has no recipe.toml", run_dir.string());
  }
  viz::ReportInput input;
  input.recipe_toml = read_file(run_dir / "recipe.toml", ExitCode::kUsage);
  const recipe::Recipe recipe =
      recipe::read_stored_recipe(input.recipe_toml, (run_dir / "recipe.toml").string());
  input.title = recipe.row.name;
  input.log = train::read_log(run_dir / "log.jsonl");
  input.faults = faults_of(input.log);
  input.pictures = newest_pictures(run_dir / "pictures");
  input.summary = {{"name", recipe.row.about},
                   {"seed", recipe.run.seed},
                   {"batch_size", recipe.optim.batch_size}};
  if (fs::exists(run_dir / "result.json")) {
    input.summary.update(
        nlohmann::json::parse(read_file(run_dir / "result.json", ExitCode::kUsage)));
    if (input.summary.contains("finetune")) {
      input.tables.push_back(finetune_table(input.summary.at("finetune")));
    }
    if (input.summary.contains("notes")) input.summary.at("notes").get_to(input.notes);
  }
  return input;
}

void report(const fs::path& run_dir, Reporter& reporter) {
  const std::string page = viz::render_report(report_input(run_dir));
  write_file_durably(run_dir / "report.html", page, ExitCode::kUsage);
  reporter.info(fmt::format("wrote {}", (run_dir / "report.html").string()));
}

}  // namespace fcm::tasks
