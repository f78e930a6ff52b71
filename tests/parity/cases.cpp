#include "tests/parity/cases.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <map>

#include "tests/parity/swin_model.h"

namespace fcm::parity {
namespace {

using Cases = std::vector<CaseResult> (*)(const Entry&, const Request&);

std::vector<CaseResult> no_cases(const Entry&, const Request&) { return {}; }

const std::map<std::string, Cases>& cases_of_kinds() {
  static const std::map<std::string, Cases> kinds{{"forward", pretraining_cases},
                                                  {"pred", pretraining_cases},
                                                  {"grads", pretraining_cases},
                                                  {"compact", pretraining_cases},
                                                  {"base", pretraining_cases},
                                                  {"adamw", optimizer_cases},
                                                  {"finetune", classifier_cases},
                                                  {"finetune-base", classifier_cases},
                                                  {"finetune-steps", layer_decay_cases},
                                                  {"linear-probe", linear_probe_cases},
                                                  {"drop-path", table_cases},
                                                  {"schedule", table_cases},
                                                  {"sincos", table_cases},
                                                  {"procedural-table", table_cases},
                                                  {"param-groups", group_cases},
                                                  {"state", table_cases},
                                                  {"inputs", table_cases},
                                                  {"oracle", oracle_cases},
                                                  {"transforms", image_cases},
                                                  {"photo", image_cases},
                                                  {"errors", no_cases},
                                                  {"checkpoint", checkpoint_cases},
                                                  {"expected", resume_cases},
                                                  {"teacher", teacher_cases},
                                                  {"teacher-file", teacher_file_cases}};
  return kinds;
}

const std::map<std::string, Cases>& cases_of_swin_kinds() {
  static const std::map<std::string, Cases> kinds{{"forward", swin_cases},
                                                  {"grads", swin_cases},
                                                  {"base", swin_cases},
                                                  {"adamw", swin_optimizer_cases},
                                                  {"param-groups", swin_table_cases},
                                                  {"schedule", swin_table_cases},
                                                  {"masks", swin_table_cases},
                                                  {"plans", swin_table_cases},
                                                  {"resize", swin_table_cases},
                                                  {"tables", swin_table_cases},
                                                  {"errors", no_cases},
                                                  {"checkpoint", checkpoint_cases},
                                                  {"expected", swin_resume_cases}};
  return kinds;
}

// Of the set that has Swins alone, some tables name no source.
bool is_of_swin(const Entry& entry) { return is_swin(entry) || entry.folder.filename() == "swin"; }

}  // namespace

bool knows(const std::string& kind) {
  return cases_of_kinds().contains(kind) || cases_of_swin_kinds().contains(kind);
}

std::vector<CaseResult> run_cases(const Entry& entry, const Request& request) {
  const auto& kinds = is_of_swin(entry) ? cases_of_swin_kinds() : cases_of_kinds();
  return kinds.at(entry.kind())(entry, request);
}

void add_case(std::vector<CaseResult>& results, const Request& request, const std::string& name,
              const std::function<void(CaseResult&)>& body) {
  if (name.find(request.filter) == std::string::npos) return;
  CaseResult result;
  result.name = name;
  try {
    body(result);
  } catch (const c10::Error& error) {
    add_fault(result, error.what_without_backtrace());
  } catch (const std::exception& error) {
    add_fault(result, error.what());
  }
  if (result.tensors == 0 && result.faults.empty()) add_fault(result, "nothing was compared");
  results.push_back(std::move(result));
}

}  // namespace fcm::parity
