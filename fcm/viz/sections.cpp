#include "fcm/viz/sections.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <utility>

#include "fcm/base/counted.h"
#include "fcm/viz/chart.h"
#include "fcm/viz/text.h"

namespace fcm::viz::report {

namespace {

constexpr size_t kMostFaults = 50;  // lines shown one by one

double first_finite(std::initializer_list<double> values) {
  return *std::find_if(values.begin(), values.end() - 1, [](double v) { return std::isfinite(v); });
}

bool reads_as_number(const std::string& cell) {
  if (cell.empty()) return false;
  char* end = nullptr;
  std::strtod(cell.c_str(), &end);
  const std::string rest = end;
  return end != cell.c_str() && (rest.empty() || rest == "%" || rest == " %");
}

std::string plural(size_t count, const std::string& one, const std::string& many) {
  return format_count(static_cast<double>(count)) + " " +
         std::string(noun(static_cast<int64_t>(count), one, many));
}

}  // namespace

std::string section(std::string_view heading, const std::string& body) {
  if (body.empty()) return {};
  return fmt::format("<section>\n<h2>{}</h2>\n{}\n</section>\n", heading, body);
}

std::string header(const ReportInput& input) {
  std::string facts;
  const auto add = [&](const std::string& text) {
    if (!text.empty()) facts += fmt::format("<span>{}</span> ", escape(text));
  };
  for (const char* key : {"data", "machine", "device"}) add(text_at(input.summary, key));
  if (const double threads = number_at(input.summary, "threads"); std::isfinite(threads)) {
    add(plural(static_cast<size_t>(std::clamp(threads, 0.0, 1e15)), "thread", "threads"));
  }
  add(text_at(input.summary, "precision"));
  for (const char* key : {"batch_size", "seed"}) {
    const std::string value = text_at(input.summary, key);
    if (!value.empty()) add((*key == 's' ? "seed " : "batch ") + value);
  }
  for (const char* key : {"revision", "finished"}) add(text_at(input.summary, key));
  std::string out = fmt::format("<header>\n<h1>{}</h1>\n", escape(input.title));
  const std::string name = text_at(input.summary, "name");
  if (!name.empty()) out += fmt::format("<p class=\"about\">{}</p>\n", escape(name));
  if (!facts.empty()) out += fmt::format("<p class=\"meta\">{}</p>\n", facts);
  return out + "</header>\n";
}

std::string headline(const ReportInput& input, const RunLog& log) {
  std::string tiles;
  const auto add = [&](const char* name, double value, const std::string& text) {
    if (!std::isfinite(value)) return;
    tiles += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", name, escape(text));
  };
  const nlohmann::json& summary = input.summary;
  const double images_seen = number_at(summary, "images_seen");
  const double seconds = number_at(summary, "seconds");
  const double steps = last_finite(log.step_column("step"));
  const double rate = first_finite({number_at(summary, "images_per_second"),
                                    median_of_finite(log.step_column("images_per_second"))});
  const double parameters = number_at(summary, "parameters");
  const double loss =
      first_finite({number_at(summary, "final_loss"), last_finite(log.step_column("loss")),
                    last_finite(log.epoch_column("train_loss"))});
  const double memory = first_finite(
      {number_at(summary, "peak_memory_bytes"), largest(log.step_column("memory_bytes"))});
  add("Images seen", images_seen,
      std::abs(images_seen) < 1e7 ? format_count(images_seen) : format_short(images_seen));
  if (!std::isfinite(images_seen)) add("Steps", steps, format_count(steps));
  add("Time", seconds, format_seconds(seconds));
  add("Images per second", rate, format_value(rate, 3));
  add("Parameters", parameters, format_short(parameters));
  const double miou = mean_iou(input, log);
  add("Mean IoU", miou, fmt::format("{:.2f} %", miou));
  add("Final loss", loss, format_value(loss, 4));
  add("Peak memory", memory, format_bytes(memory));
  return tiles.empty() ? std::string() : "<dl class=\"tiles\">\n" + tiles + "</dl>\n";
}

std::string table(const ReportTable& input) {
  const auto numeric = [&](size_t column) {
    bool any = false;
    for (const auto& row : input.rows) {
      if (column >= row.size() || row[column].empty() || row[column] == "–") continue;
      if (!reads_as_number(row[column])) return false;
      any = true;
    }
    return any;
  };
  size_t columns = input.headers.size();
  for (const auto& row : input.rows) columns = std::max(columns, row.size());
  const auto line = [&](const std::vector<std::string>& cells, const char* tag) {
    std::string out = "<tr>";
    for (size_t column = 0; column < columns; ++column) {
      out += fmt::format("<{}{}>{}</{}>", tag, numeric(column) ? " class=\"number\"" : "",
                         column < cells.size() ? escape(cells[column]) : "", tag);
    }
    return out + "</tr>\n";
  };
  std::string out;
  if (!input.title.empty()) out += fmt::format("<h3>{}</h3>\n", escape(input.title));
  out += "<div class=\"scroll\"><table>\n";
  if (!input.headers.empty()) out += "<thead>" + line(input.headers, "th") + "</thead>\n";
  out += "<tbody>\n";
  for (const auto& row : input.rows) out += line(row, "td");
  out += "</tbody>\n</table></div>\n";
  if (!input.note.empty()) out += fmt::format("<p class=\"note\">{}</p>\n", escape(input.note));
  return out;
}

std::string images(const ReportInput& input) {
  std::string out;
  for (const ReportImage& image : input.images) {
    if (image.png.empty()) continue;
    out += fmt::format(
        "<figure><img alt=\"{0}\" src=\"data:image/png;base64,{1}\"><figcaption>{0}</figcaption>"
        "</figure>\n",
        escape(image.caption), base64(image.png));
  }
  return out;
}

std::string faults(const ReportInput& input, const RunLog& log) {
  const double skipped = largest(log.step_column("skipped_samples"));
  const size_t skipped_count = skipped > 0 ? static_cast<size_t>(std::min(skipped, 1e15)) : 0;
  std::vector<std::string> lines;
  if (skipped_count > 0) {
    lines.push_back(plural(skipped_count, "image was", "images were") +
                    " skipped and replaced by others.");
  }
  if (const double left_out = largest(log.step_column("skipped_updates")); left_out > 0) {
    lines.push_back(
        plural(static_cast<size_t>(std::min(left_out, 1e15)), "step was", "steps were") +
        " skipped because the loss or a gradient was not finite.");
  }
  if (log.non_finite > 0) {
    lines.push_back(plural(log.non_finite, "logged step has", "logged steps have") +
                    " a non-finite loss.");
  }
  if (log.restarts > 0) {
    lines.push_back("The run resumed from an earlier step " +
                    plural(log.restarts, "time", "times") +
                    "; the curves show the last value of each step.");
  }
  if (log.ignored > 0) {
    lines.push_back(plural(log.ignored, "line", "lines") + " of the log could not be used.");
  }
  const bool clean = lines.empty() && input.faults.empty();
  if (clean && log.step_count == 0) return {};  // nothing ran, so nothing is known to be fine
  if (clean) {
    return fmt::format("<p><span class=\"fine\">None.</span> Every logged loss is finite{}.</p>",
                       std::isfinite(skipped) ? " and no image was skipped" : "");
  }
  for (size_t i = 0; i < std::min(kMostFaults, input.faults.size()); ++i) {
    lines.push_back(input.faults[i]);
  }
  if (input.faults.size() > kMostFaults) {
    lines.push_back(fmt::format("… and {} more.", input.faults.size() - kMostFaults));
  }
  std::string out = "<ul class=\"faults\">\n";
  for (const std::string& line : lines) out += fmt::format("<li>{}</li>\n", escape(line));
  return out + "</ul>";
}

std::string notes(const ReportInput& input) {
  std::string out;
  for (const std::string& note : input.notes) out += fmt::format("<p>{}</p>\n", escape(note));
  return out;
}

std::string repeat(const ReportInput& input) {
  std::string command;
  if (input.summary.is_object() && input.summary.contains("command")) {
    const nlohmann::json& value = input.summary["command"];
    if (value.is_array()) {
      for (const nlohmann::json& part : value) {
        if (part.is_string()) command += part.get<std::string>() + "\n";
      }
    } else {
      command = text_at(input.summary, "command");
    }
  }
  std::string out;
  if (!command.empty()) out += fmt::format("<pre>{}</pre>\n", escape(command));
  if (!input.recipe_toml.empty()) {
    out += fmt::format("<details><summary>Recipe, as run</summary>\n<pre>{}</pre></details>\n",
                       escape(input.recipe_toml));
  }
  return out;
}

}  // namespace fcm::viz::report
