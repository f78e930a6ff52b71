// Tables of facts and results, one column per run.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#include "fcm/viz/chart.h"
#include "fcm/viz/comparison_sections.h"
#include "fcm/viz/text.h"

namespace fcm::viz::report {

namespace {

constexpr const char* kNone = "–";  // as text.h formats missing numbers

// The total number of steps of the run, estimated from the last logged eta and speed; NaN: unknown.
double expected_steps(const RunLines& run) {
  const double left = last_finite(run.log.step_column("eta_seconds")),
               speed = last_finite(run.log.step_column("images_per_second"));
  return std::round(last_finite(run.steps.steps) + left * speed / run.run->batch_size);
}

std::string state_of(const RunLines& run) {
  const double step = last_finite(run.steps.steps), expected = expected_steps(run);
  if (run.run->has_result) return "finished";
  if (!std::isfinite(step)) return "no step yet";
  if (!std::isfinite(expected)) return "at step " + format_count(step);
  if (expected <= step) return "finished";
  return "at step " + format_count(step) + " of " + format_count(expected);
}

// Adds a row of texts, unless no run has one.
template <class Text>
void add_row(std::vector<RunRow>& rows, const std::vector<RunLines>& runs, const char* name,
             Text text) {
  RunRow row{name, {}, {}};
  bool any = false;
  for (const RunLines& run : runs) {
    row.values.push_back(text(run));
    any = any || row.values.back() != kNone;
  }
  if (any) rows.push_back(std::move(row));
}

// Adds a row of percentages with the highest in bold, unless no run has one.
template <class Number>
void add_accuracy(std::vector<RunRow>& rows, const std::vector<RunLines>& runs,
                  const std::string& name, Number number) {
  RunRow row{name, {}, {}};
  std::vector<double> numbers;
  for (const RunLines& run : runs) {
    numbers.push_back(number(run));
    row.values.push_back(std::isfinite(numbers.back()) ? fmt::format("{:.2f}", numbers.back())
                                                       : kNone);
  }
  if (finite_count(numbers) == 0) return;
  const double best = largest(numbers);
  for (size_t i = 0; i < numbers.size() && finite_count(numbers) > 1; ++i) {
    if (numbers[i] == best) row.best.push_back(i);
  }
  rows.push_back(std::move(row));
}

// Adds a row with the last measured values, and a row with the best ones if some run had a better
// value before its last.
void add_measured_meanwhile(std::vector<RunRow>& rows, const std::vector<RunLines>& runs,
                            const std::string& key) {
  const auto column = [&](const RunLines& run) { return run.log.epoch_column(key); };
  add_accuracy(rows, runs, accuracy_name(key) + ", last",
               [&](const RunLines& run) { return last_finite(column(run)); });
  const bool fell = std::any_of(runs.begin(), runs.end(), [&](const RunLines& run) {
    return largest(column(run)) > last_finite(column(run));
  });
  if (!fell) return;
  add_accuracy(rows, runs, accuracy_name(key) + ", best",
               [&](const RunLines& run) { return largest(column(run)); });
}

// Inserts <wbr> where a name or a path may wrap.
std::string breakable(const std::string& escaped) {
  std::string text;
  for (size_t i = 0; i < escaped.size(); ++i) {
    const char letter = escaped[i];
    text += letter;
    const bool in_name = letter == '.' && i + 1 < escaped.size() &&
                         std::isalpha(static_cast<unsigned char>(escaped[i + 1])) != 0;
    if (letter == '/' || letter == '_' || in_name) text += "<wbr>";
  }
  return text;
}

double inner(const nlohmann::json& summary, const char* outer, const char* key) {
  const bool has = summary.is_object() && summary.contains(outer);
  return number_at(has ? summary.at(outer) : nlohmann::json(), key);
}

}  // namespace

std::vector<RunRow> facts(const std::vector<RunLines>& runs) {
  std::vector<RunRow> rows;
  const auto column = [](const RunLines& run, const char* key) { return run.log.step_column(key); };

  add_row(rows, runs, "recipe", [](const RunLines& run) { return run.run->recipe; });
  add_row(rows, runs, "task", [](const RunLines& run) { return run.run->kind; });
  add_row(rows, runs, "state", state_of);
  add_row(rows, runs, "steps",
          [](const RunLines& run) { return format_count(last_finite(run.steps.steps)); });
  add_row(rows, runs, "images seen",
          [](const RunLines& run) { return format_short(last_finite(run.steps.images)); });
  add_row(rows, runs, "training time",
          [](const RunLines& run) { return format_seconds(3600 * last_finite(run.steps.hours)); });
  add_row(rows, runs, "images per second, median", [&](const RunLines& run) {
    return format_value(median_of_finite(column(run, "images_per_second")), 3);
  });
  add_row(rows, runs, "last loss",
          [&](const RunLines& run) { return format_value(last_finite(column(run, "loss")), 4); });
  add_row(rows, runs, "peak memory",
          [&](const RunLines& run) { return format_bytes(largest(column(run, "memory_bytes"))); });
  add_row(rows, runs, "steps skipped", [&](const RunLines& run) {
    const double count = largest(column(run, "skipped_updates"));
    return count > 0 ? format_count(count) : std::string(kNone);
  });
  add_row(rows, runs, "images replaced", [&](const RunLines& run) {
    const double count = largest(column(run, "skipped_samples"));
    return count > 0 ? format_count(count) : std::string(kNone);
  });
  add_row(rows, runs, "folder", [](const RunLines& run) { return run.run->folder; });
  return rows;
}

std::vector<RunRow> accuracies(const std::vector<RunLines>& runs) {
  std::vector<RunRow> rows;
  for (const std::string& key : accuracy_keys(runs)) add_measured_meanwhile(rows, runs, key);
  for (const auto& [key, name] : {std::pair{"top1", "top-1, result"},
                                  {"top5", "top-5, result"},
                                  {"mIoU", "mean IoU, result"},
                                  {"mAcc", "mean class accuracy, result"},
                                  {"aAcc", "pixel accuracy, result"}}) {
    add_accuracy(rows, runs, name,
                 [&, of = key](const RunLines& run) { return number_at(run.run->summary, of); });
  }
  for (const auto& [outer, kind] : {std::pair{"box", "boxes"}, {"mask", "masks"}}) {
    for (const char* key : {"AP", "AP50", "AP75"}) {
      add_accuracy(
          rows, runs, fmt::format("{} of {}, result", key, kind),
          [&, of = outer](const RunLines& run) { return inner(run.run->summary, of, key); });
    }
  }
  for (const char* method : {"knn", "linprobe"}) {
    add_accuracy(rows, runs, method_name(method) + " top-1, result", [&](const RunLines& run) {
      return inner(run.run->summary, method, "pretrained");
    });
  }
  return rows;
}

std::string run_table(const ComparisonInput& input, const std::vector<RunRow>& rows) {
  if (rows.empty()) return {};
  std::string out = "<div class=\"scroll\"><table class=\"runs\">\n<thead><tr><th></th>";
  for (size_t number = 0; number < input.runs.size(); ++number) {
    out += fmt::format("<th>{}<span>{}</span></th>", run_swatch(number),
                       breakable(escape(input.runs[number].name)));
  }
  out += "</tr></thead>\n<tbody>\n";
  for (const RunRow& row : rows) {
    out += fmt::format("<tr><th>{}</th>", breakable(escape(row.name)));
    for (size_t number = 0; number < row.values.size(); ++number) {
      const bool best = std::find(row.best.begin(), row.best.end(), number) != row.best.end();
      const std::string value = breakable(escape(row.values[number]));
      out += best ? fmt::format("<td><b>{}</b></td>", value) : fmt::format("<td>{}</td>", value);
    }
    out += "</tr>\n";
  }
  return out + "</tbody>\n</table></div>\n";
}

}  // namespace fcm::viz::report
