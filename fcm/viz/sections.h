// The sections of a report, each as HTML; empty if there is nothing to show. Private to viz.
#pragma once

#include <string>
#include <string_view>

#include "fcm/viz/report.h"
#include "fcm/viz/run_log.h"

namespace fcm::viz::report {

// A complete page around `body`, with the styles of page and charts, and `more_style`. Escapes the
// title.
std::string page(std::string_view title, const std::string& body, std::string_view more_style = "");

// A <section> with a heading; empty if the body is empty.
std::string section(std::string_view heading, const std::string& body);

std::string header(const ReportInput& input);
std::string headline(const ReportInput& input, const RunLog& log);
std::string results(const ReportInput& input);  // bars and tables
std::string table(const ReportTable& input);
// The mean IoU of segmentation in percent: that of the summary, else the last one in the log; NaN
// if there is neither.
double mean_iou(const ReportInput& input, const RunLog& log);
std::string segmentation_lead(const nlohmann::json& summary);  // the mean IoU in a sentence
std::string classes(const ReportInput& input);                 // the table of classes
std::string training(const RunLog& log);                       // loss, learning rate, gradients
std::string accuracy(const RunLog& log);                       // over steps or epochs
std::string throughput(const RunLog& log);                     // images/s, waiting, memory
std::string images(const ReportInput& input);
std::string faults(const ReportInput& input, const RunLog& log);
std::string notes(const ReportInput& input);
std::string repeat(const ReportInput& input);  // command and recipe

// CSS of the page, without that of charts.
std::string_view page_style();

}  // namespace fcm::viz::report
