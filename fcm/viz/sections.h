// The sections of the report, each as HTML; empty where there is nothing to say. Not for use
// outside viz.
#pragma once

#include <string>
#include <string_view>

#include "fcm/viz/report.h"
#include "fcm/viz/run_log.h"

namespace fcm::viz::report {

// A whole page of ours around `body`, with the style of page and charts and `more_style`. The title
// is escaped here.
std::string page(std::string_view title, const std::string& body, std::string_view more_style = "");

// <section> with a heading; empty if the body is.
std::string section(std::string_view heading, const std::string& body);

std::string header(const ReportInput& input);
std::string headline(const ReportInput& input, const RunLog& log);
std::string results(const ReportInput& input);  // bars and tables
std::string table(const ReportTable& input);
// Segmentation: percent, measured at the end or by the last line of the log, NaN where neither is;
// a sentence of it; all classes with bars.
double mean_iou(const ReportInput& input, const RunLog& log);
std::string segmentation_lead(const nlohmann::json& summary);
std::string classes(const ReportInput& input);
std::string training(const RunLog& log);    // loss, learning rate, gradients
std::string accuracy(const RunLog& log);    // over epochs
std::string throughput(const RunLog& log);  // images/s, waiting, memory
std::string pictures(const ReportInput& input);
std::string faults(const ReportInput& input, const RunLog& log);
std::string notes(const ReportInput& input);
std::string repeat(const ReportInput& input);  // command and recipe

// CSS of the page, without the charts'.
std::string_view page_style();

}  // namespace fcm::viz::report
