// Cases of the kind adamw: parameters after AdamW steps.
#include <fmt/format.h>

#include <regex>

#include "tests/parity/pretraining_case.h"
#include "tests/parity/run.h"
#include "tests/parity/steps.h"
#include "tests/parity/three_types.h"

namespace fcm::parity {
namespace {

// The constant learning rate in the manifest's description of the optimizer; 1e-3 if it has none.
double learning_rate(const Entry& entry) {
  const std::string text = entry.about.value("optimiser", "");
  std::smatch match;
  const bool found = std::regex_search(text, match, std::regex(R"(lr=([\d.e+-]+))"));
  return found ? std::stod(match[1]) : 1e-3;
}

}  // namespace

std::vector<CaseResult> optimizer_cases(const Entry& entry, const Request& request) {
  std::vector<CaseResult> results;
  for (const Path path : {Path::kFast, Path::kReference}) {
    const std::string name = fmt::format("{} [{} fp32]", entry.file, path_name(path));
    add_case(results, request, name, [&](CaseResult& result) {
      const PretrainingCase the = pretraining_case(entry, request);
      const auto steps = static_cast<size_t>(the.stored.at("losses").numel() - 1);
      const std::vector<double> rates(steps, learning_rate(entry));
      const Run run = run_adamw(the.model, the.inputs, path, rates);
      compare_steps(result, entry, the.stored, run);
    });
  }
  return results;
}

}  // namespace fcm::parity
