#include "tests/parity/steps.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <map>
#include <vector>

#include "tests/parity/golden.h"

namespace fcm::parity {
namespace {

constexpr double kHeadroom = 10;

// Upstream's errors after one step. The manifest has a list per step, or one list for all steps.
nlohmann::json errors_of_step(const Entry& entry, const std::string& step) {
  const nlohmann::json errors = entry.about.value("errors_fp32_vs_fp64", nlohmann::json::object());
  if (errors.contains(step)) return errors.at(step);
  if (errors.contains("max_abs")) return errors;
  // A step without a list uses the last one, because errors grow. Without any list, the errors are
  // typical ones of the set's other files after a few steps of this size.
  if (!errors.empty()) return errors.back();
  return {{"max_abs", 2e-5}, {"mean_abs", 1e-8}};
}

}  // namespace

void compare_steps(CaseResult& result, const Entry& entry, const Tensors& stored, const Run& run) {
  std::map<std::string, std::vector<at::Tensor>> differences;  // of each step
  for (const auto& [name, wanted] : stored) {
    if (name.ends_with(".idx")) continue;
    const bool sampled = name.ends_with(".val");
    const std::string tensor = sampled ? name.substr(0, name.size() - 4) : name;
    const auto found = run.values.find(tensor);
    if (found == run.values.end()) {
      add_fault(result, name + " is stored, but no computed tensor has this name");
      continue;
    }
    at::Tensor got = without_key_bias(tensor, found->second).to(at::kDouble).flatten();
    if (sampled) got = got.index_select(0, stored.at(tensor + ".idx").flatten());
    const at::Tensor want = without_key_bias(tensor, wanted).to(at::kDouble).flatten();
    if (!name.starts_with("step") && !name.starts_with("model.")) {
      constexpr double kLossTolerance = 1e-5;  // allows for rounding errors after five steps
      compare(result, name, got, want, kLossTolerance);
      continue;
    }
    if (got.numel() != want.numel()) {
      add_fault(result, name + " has another number of elements");
      continue;
    }
    const std::string step = name.substr(0, name.find('.'));
    const nlohmann::json errors = errors_of_step(entry, step);
    const double scale = want.abs().max().item<double>();
    const double allowed = kHeadroom * errors.value("max_abs", 0.0);
    if (scale > 0) compare(result, name, got, want, allowed / scale);
    differences[step].push_back((got - want).abs());
  }
  for (const auto& [step, parts] : differences) {
    const double allowed = kHeadroom * errors_of_step(entry, step).value("mean_abs", 0.0);
    compare(result, step + " mean", at::cat(parts).mean(), at::zeros({}, at::kDouble), allowed, 1);
  }
}

}  // namespace fcm::parity
