// Selects and runs the cases of a manifest entry.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tests/parity/comparison.h"
#include "tests/parity/fixtures.h"
#include "tests/parity/published_model.h"

namespace fcm::parity {

// Changes the inputs of a case before the program runs on them. Tests plant a mistake this way and
// expect the case to fail.
using InputMistake = std::function<void(Inputs&)>;

struct Request {
  std::string filter;  // only cases whose name contains it
  InputMistake mistake;
  at::Device device = at::kCPU;  // runs the fast path of pretraining and of its AdamW steps
};

// Whether the program knows the entry's kind or, in sets whose files all have the kind "golden",
// the file's name. Entries that only describe other files ("errors") are known and have no cases.
bool knows(const Entry& entry);

// The results of an entry's cases. An exception in a case becomes its fault.
std::vector<CaseResult> run_cases(const Entry& entry, const Request& request);

// The cases of one topic each.
std::vector<CaseResult> pretraining_cases(const Entry& entry, const Request& request);
std::vector<CaseResult> optimizer_cases(const Entry& entry, const Request& request);
std::vector<CaseResult> classifier_cases(const Entry& entry, const Request& request);
std::vector<CaseResult> layer_decay_cases(const Entry& entry, const Request& request);
std::vector<CaseResult> linear_probe_cases(const Entry& entry, const Request& request);
std::vector<CaseResult> image_cases(const Entry& entry, const Request& request);
std::vector<CaseResult> group_cases(const Entry& entry, const Request& request);
std::vector<CaseResult> table_cases(const Entry& entry, const Request& request);
std::vector<CaseResult> oracle_cases(const Entry& entry, const Request& request);
std::vector<CaseResult> checkpoint_cases(const Entry& entry, const Request& request);
std::vector<CaseResult> teacher_cases(const Entry& entry, const Request& request);
std::vector<CaseResult> teacher_file_cases(const Entry& entry, const Request& request);
// Images and maps of segmentation.
std::vector<CaseResult> scene_cases(const Entry& entry, const Request& request);
// The upstream Swins.
std::vector<CaseResult> swin_cases(const Entry& entry, const Request& request);
std::vector<CaseResult> swin_optimizer_cases(const Entry& entry, const Request& request);
std::vector<CaseResult> swin_table_cases(const Entry& entry, const Request& request);
std::vector<CaseResult> swin_resume_cases(const Entry& entry, const Request& request);
// Parts of segmenters, and tables of their parameters.
std::vector<CaseResult> segmentation_head_cases(const Entry& entry, const Request& request);
std::vector<CaseResult> segmentation_loss_cases(const Entry& entry, const Request& request);
std::vector<CaseResult> segmentation_map_cases(const Entry& entry, const Request& request);
std::vector<CaseResult> segmentation_table_cases(const Entry& entry, const Request& request);
// Whole segmenters.
std::vector<CaseResult> segmentor_cases(const Entry& entry, const Request& request);
// Content of checkpoint files, and steps after resuming from one.
std::vector<CaseResult> resume_cases(const Entry& entry, const Request& request);

// Runs one case if its name contains the filter; an exception becomes a fault.
void add_case(std::vector<CaseResult>& results, const Request& request, const std::string& name,
              const std::function<void(CaseResult&)>& body);

}  // namespace fcm::parity
