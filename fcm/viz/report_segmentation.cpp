// The report's sections on semantic segmentation: the sentence with the means, the table of
// classes.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fcm/viz/run_log.h"
#include "fcm/viz/sections.h"
#include "fcm/viz/text.h"

namespace fcm::viz::report {

namespace {

constexpr size_t kMostInOneTable = 16;

std::string one_decimal(double value) {
  return std::isfinite(value) ? fmt::format("{:.1f}", value) : "–";
}

// A percentage with a bar of that length behind it.
std::string bar_cell(double percent) {
  constexpr double kLongest = 0.92;  // share of the cell, so that a full bar ends before the next
  const double length = std::isfinite(percent) ? kLongest * std::clamp(percent, 0.0, 100.0) : 0;
  return fmt::format("<td class=\"bar\"><i style=\"width:{:.1f}%\"></i><span>{}</span></td>",
                     length, one_decimal(percent));
}

// The classes that have an IoU; those of other tasks do not.
std::vector<nlohmann::json> measured_classes(const nlohmann::json& summary) {
  std::vector<nlohmann::json> lines;
  if (!summary.is_object() || !summary.contains("classes")) return lines;
  if (!summary["classes"].is_array()) return lines;
  for (const nlohmann::json& line : summary["classes"]) {
    if (line.is_object() && line.contains("iou")) lines.push_back(line);
  }
  return lines;
}

std::string class_table(const nlohmann::json* first, const nlohmann::json* last,
                        double all_pixels) {
  std::string out =
      "<table class=\"classes\"><thead><tr><th>class</th><th class=\"number\">pixels, %</th>"
      "<th class=\"number\">IoU, %</th><th class=\"number\">accuracy, %</th></tr></thead>\n<tbody>\n";
  for (; first != last; ++first) {
    const double share = 100 * number_at(*first, "pixels") / all_pixels;
    out += fmt::format("<tr><td>{}</td><td class=\"number\">{}</td>{}{}</tr>\n",
                       escape(text_at(*first, "class")),
                       share > 0 && share < 0.05 ? "&lt;0.1" : one_decimal(share),
                       bar_cell(number_at(*first, "iou")), bar_cell(number_at(*first, "accuracy")));
  }
  return out + "</tbody></table>";
}

}  // namespace

double mean_iou(const ReportInput& input, const RunLog& log) {
  double last = number_at(input.summary, "mIoU");
  if (std::isfinite(last)) return last;
  for (const double value : log.epoch_column("test_miou")) {
    if (std::isfinite(value)) last = value;
  }
  return last;
}

std::string segmentation_lead(const nlohmann::json& summary) {
  const double miou = number_at(summary, "mIoU");
  if (!std::isfinite(miou)) return {};
  const double images = number_at(summary, "images");
  const std::string on = std::isfinite(images)
                             ? fmt::format(" on {} images", escape(format_count(images)))
                             : std::string();
  std::string out = fmt::format("<p class=\"lead\">Mean IoU: <b>{:.2f} %</b>{}", miou, on);
  const double macc = number_at(summary, "mAcc"), aacc = number_at(summary, "aAcc");
  if (std::isfinite(macc)) out += fmt::format("; mean class accuracy {:.2f} %", macc);
  if (std::isfinite(aacc)) out += fmt::format("; pixel accuracy {:.2f} %", aacc);
  return out + ".</p>\n";
}

std::string classes(const ReportInput& input) {
  const std::vector<nlohmann::json> lines = measured_classes(input.summary);
  if (lines.empty()) return {};
  double pixels = 0;
  for (const nlohmann::json& line : lines) {
    const double count = number_at(line, "pixels");
    if (std::isfinite(count)) pixels += count;
  }
  const size_t tables = lines.size() > kMostInOneTable ? 2 : 1;
  const size_t rows = (lines.size() + tables - 1) / tables;
  std::string out = "<div class=\"pair\">\n";
  for (size_t start = 0; start < lines.size(); start += rows) {
    const size_t end = std::min(start + rows, lines.size());
    out += "<div class=\"scroll\">" +
           class_table(lines.data() + start, lines.data() + end, pixels) + "</div>\n";
  }
  out += "</div>\n";
  return out +
         "<p class=\"note\">In the order of class indices. Pixels: share of the labelled pixels that "
         "have this label. IoU: pixels labelled and predicted as the class, divided by pixels "
         "labelled or predicted as the class; the mean leaves out classes without such pixels. "
         "Accuracy: share of the class's labelled pixels that are predicted correctly.</p>\n";
}

}  // namespace fcm::viz::report
