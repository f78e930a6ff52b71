#include "fcm/viz/comparison.h"

#include <fmt/format.h>

#include "fcm/base/error.h"
#include "fcm/viz/comparison_sections.h"
#include "fcm/viz/sections.h"
#include "fcm/viz/text.h"

namespace fcm::viz {

namespace report {

std::vector<RunLines> lines_of(const ComparisonInput& input) {
  std::vector<RunLines> runs;
  for (const ComparedRun& run : input.runs) {
    RunLines lines;
    lines.run = &run;
    lines.log = read_log(run.log);
    lines.steps = positions_of_steps(lines.log, run.batch_size);
    lines.epochs = positions_of_epochs(lines.log, lines.steps, run.batch_size);
    runs.push_back(std::move(lines));
  }
  return runs;
}

std::string legend_of(const ComparisonInput& input) {
  std::string out = "<ul class=\"legend\">\n";
  for (size_t number = 0; number < input.runs.size(); ++number) {
    const ComparedRun& run = input.runs[number];
    out += fmt::format("<li title=\"{}\">{}<span>{}</span></li>\n", escape(run.folder),
                       run_swatch(number), escape(run.name));
  }
  return out + "</ul>\n";
}

std::string_view comparison_style() {
  return R"(
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:4px 20px;margin:0;padding:10px 0;font-size:13.5px}
.legend li{display:flex;align-items:center;gap:8px;margin:0;min-width:0}
.legend span{overflow-wrap:anywhere}
.axes input{position:absolute;opacity:0}
.axes label{display:inline-block;margin:0 8px 8px 0;padding:4px 13px;border:1px solid var(--rule);
border-radius:999px;font-size:13.5px;cursor:pointer}
.axes input:checked+label{background:var(--accent);border-color:var(--accent);color:var(--ground)}
.axes input:focus-visible+label{outline:2px solid var(--accent);outline-offset:2px}
.axes .legend{position:sticky;top:0;background:var(--ground);border-bottom:1px solid var(--rule);
margin:0 0 20px;z-index:1}
.over{display:none}.over h3{display:none}
#by-steps:checked~.by-steps,#by-images:checked~.by-images,#by-hours:checked~.by-hours{display:block}
.runs th,.runs td{vertical-align:top;overflow-wrap:anywhere}
.runs thead th{color:var(--ink);min-width:132px;max-width:220px;padding-bottom:9px}
.runs thead span{display:block;line-height:1.35}
.runs tbody th{font-weight:400;font-size:13.5px;white-space:nowrap;position:sticky;left:0;
background:var(--ground)}
.runs td{min-width:132px;max-width:220px}
h2+.note{margin:-8px 0 14px}
@media (max-width:640px){.runs td,.runs thead th{min-width:112px}.axes .legend{position:static}
.runs tbody th{white-space:normal;min-width:104px;max-width:130px}}
)";
}

}  // namespace report

std::string render_comparison(const ComparisonInput& input) {
  require(input.runs.size() >= 2 && input.runs.size() <= kMostComparedRuns,
          "got {} runs to compare, expected 2 to {}", input.runs.size(), kMostComparedRuns);
  const std::vector<report::RunLines> runs = report::lines_of(input);
  const std::string title = fmt::format("{} runs side by side", input.runs.size());
  std::string body = fmt::format("<header>\n<h1>{}</h1>\n</header>\n", title);
  std::string notes;
  for (const std::string& note : input.notes) notes += "<p>" + escape(note) + "</p>\n";
  body += report::section("Runs", report::run_table(input, report::facts(runs)));
  body += report::section("Notes", notes);
  body += report::section("Accuracies, %", report::run_table(input, report::accuracies(runs)));
  body += report::section("Curves", report::curves(runs, report::legend_of(input)));
  std::vector<report::RunRow> differences;
  for (const Difference& one : input.differences) differences.push_back({one.name, one.values, {}});
  const std::string none = "<p>The recipes, and the images they name, are the same.</p>";
  body += report::section("Differences",
                          differences.empty() ? none : report::run_table(input, differences));
  return report::page(title, body, report::comparison_style());
}

}  // namespace fcm::viz
