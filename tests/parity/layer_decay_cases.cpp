// Cases of the kind finetune-steps: a classifier after AdamW steps with layer-wise learning rates.
#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include <regex>

#include "fcm/base/error.h"
#include "fcm/loss/classification.h"
#include "fcm/optim/schedule.h"
#include "tests/parity/classifier_case.h"
#include "tests/parity/steps.h"
#include "tests/parity/three_types.h"

namespace fcm::parity {
namespace {

// Parsed from the manifest's description of the optimizer.
struct Plan {
  optim::OptimOptions options;
  double layer_decay = 0;
  std::vector<double> epochs;  // of each step
};

Plan read_plan(const Entry& entry) {
  const std::string text = entry.about.value("optimiser", "");
  Plan plan;
  plan.options.batch_size = 256;  // lr = base_lr * batch_size / 256
  plan.options.base_lr = number_after(text, "with lr");
  plan.options.min_lr = number_after(text, "min_lr");
  plan.options.warmup_epochs = number_after(text, "warmup");
  plan.options.epochs = number_after(text, "epochs");
  plan.options.weight_decay = number_after(text, "weight_decay");
  plan.options.beta2 = 0.999;
  plan.layer_decay = number_after(text, "layer_decay");
  std::smatch match;
  require(std::regex_search(text, match, std::regex(R"(at epoch ([\d., ]+))")),
          "the description of the optimizer names no epochs: {}", text);
  const std::string list = match[1];
  const std::regex number(R"(\d+\.?\d*)");
  for (std::sregex_iterator at(list.begin(), list.end(), number), end; at != end; ++at) {
    plan.epochs.push_back(std::stod(at->str()));
  }
  return plan;
}

Run train(const ClassifierCase& the, const Plan& plan, Path path) {
  const std::unique_ptr<ClassifierPath> classifier = make_path(the.model, the.inputs, path, kFp32);
  classifier->prepare_updates(plan.options, plan.layer_decay);
  Run run;
  std::vector<double> losses, rates;
  for (size_t i = 0; i < plan.epochs.size(); ++i) {
    classifier->zero_gradients();
    const at::Tensor loss =
        loss::label_smoothing_cross_entropy(classifier->logits({}), the.targets.labels_B, 0.1);
    losses.push_back(loss.item<double>());
    torch::autograd::backward({loss}, {});
    const double lr = optim::lr_at_epoch(plan.options, plan.epochs[i]);
    for (const double rate : classifier->update(lr)) rates.push_back(rate);
    for (const auto& [name, value] : classifier->values()) {
      run.values[fmt::format("step{}.{}", i + 1, name)] = value.detach().clone();
    }
  }
  run.values["losses"] = at::tensor(at::ArrayRef<double>(losses), at::kDouble);
  run.values["group_lrs"] = at::tensor(at::ArrayRef<double>(rates), at::kDouble);
  return run;
}

}  // namespace

std::vector<CaseResult> layer_decay_cases(const Entry& entry, const Request& request) {
  std::vector<CaseResult> results;
  for (const Path path : {Path::kFast, Path::kReference}) {
    const std::string name = fmt::format("{} [{} fp32]", entry.file, path_name(path));
    add_case(results, request, name, [&](CaseResult& result) {
      const ClassifierCase the = classifier_case(entry, request);
      compare_steps(result, entry, the.stored, train(the, read_plan(entry), path));
    });
  }
  return results;
}

}  // namespace fcm::parity
