#include "fcm/viz/report.h"

#include <fmt/format.h>

#include "fcm/viz/chart.h"
#include "fcm/viz/run_log.h"
#include "fcm/viz/sections.h"
#include "fcm/viz/text.h"

namespace fcm::viz {

namespace {

// With this policy a browser refuses everything that a page tries to load, so pages must be
// self-contained.
constexpr const char* kPolicy =
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action "
    "'none'";

}  // namespace

std::string report::page(std::string_view title, const std::string& body,
                         std::string_view more_style) {
  std::string out = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
  out += kGenerator + std::string("\n");
  out += fmt::format("<meta http-equiv=\"Content-Security-Policy\" content=\"{}\">\n", kPolicy);
  out += "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n";
  out += "<meta name=\"color-scheme\" content=\"light dark\">\n";
  out += fmt::format("<title>{}</title>\n<style>{}{}{}</style>\n</head>\n<body>\n<main>\n",
                     escape(title), page_style(), chart_style(), more_style);
  return out + body + "</main>\n</body>\n</html>\n";
}

std::string render_report(const ReportInput& input) {
  const RunLog log = read_log(input.log);
  std::string out = report::header(input);
  out += report::headline(input, log);
  out += report::section("Results", report::results(input));
  out += report::section("Accuracy during training", report::accuracy(log));
  out += report::section("Training", report::training(log));
  out += report::section("Images", report::images(input));
  out += report::section("Throughput", report::throughput(log));
  out += report::section("Faults", report::faults(input, log));
  out += report::section("Classes", report::classes(input));
  out += report::section("Notes", report::notes(input));
  out += report::section("Repeat this run", report::repeat(input));
  return report::page(input.title, out);
}

}  // namespace fcm::viz
