// Cases of SimMIM, its classifier and GreenMIM; of the kinds forward, grads, base and adamw.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include "fcm/base/error.h"
#include "tests/parity/cases.h"
#include "tests/parity/steps.h"
#include "tests/parity/swin_run.h"
#include "tests/parity/three_types.h"

namespace fcm::parity {
namespace {

struct SwinCase {
  SwinModel model;
  Tensors stored;
  SwinInputs inputs;
};

// The tensors of "X.forward.safetensors", which has the labels and noise for the files of gradients
// and steps next to it.
Tensors stored_forward(const Entry& entry) {
  const std::filesystem::path forward =
      entry.path().parent_path() / (entry.stem() + ".forward.safetensors");
  return std::filesystem::exists(forward) ? read_tensors(forward) : Tensors{};
}

SwinCase swin_case(const Entry& entry, const Request& request) {
  SwinCase made{swin_model(entry), read_tensors(entry.path()), {}};
  made.model.options.shuffled = entry.stem().find("_ordered") == std::string::npos;
  Tensors beside = stored_forward(entry);
  beside.insert(made.stored.begin(), made.stored.end());
  made.inputs = swin_inputs(entry, made.model, beside);
  if (request.mistake) {
    Inputs plain{made.inputs.weights, made.inputs.images_BCHW, made.inputs.noise_L};
    request.mistake(plain);
    made.inputs.weights = plain.weights;
    made.inputs.images_BCHW = plain.images_BCHW;
    made.inputs.noise_L = plain.noise_BL;
  }
  return made;
}

// Converts a stored name to the form that golden.h expects: adds the tag "l1" to SimMIM's loss and
// gradients, and removes "act." from the names of statistics.
std::string known_name(const SwinModel& model, std::string name) {
  if (name.starts_with("actstat.")) {
    return "actstat." + name.substr(name.starts_with("actstat.act.") ? 12 : 8);
  }
  if (model.program != SwinProgram::kSimMim) return name;
  if (name == "loss") return "loss.l1";
  if (name.starts_with("grad.")) return "grad.l1." + name.substr(5);
  return name.starts_with("grad_") ? "l1." + name : name;
}

bool is_attention(const std::string& name) {
  return name.starts_with("act.") &&
         (name.find(".attn.") != std::string::npos || name.ends_with(".attn"));
}

// Whether the comparison leaves a stored tensor out: inputs and what follows from them alone
// (masks, noise, plans, orders), and positions. The fast path has no windows as tensors, so it has
// no counterpart of their attention.
bool is_left_out(const std::string& name, Path path) {
  if (name.starts_with("plan.") || name == "placement" || name == "ids_restore" || name == "mask" ||
      name == "noise" || name == "mask_units" || name == "act.decoder_pos_embed") {
    return true;
  }
  return path == Path::kFast && is_attention(name);
}

Tensors known(const SwinModel& model, const Tensors& stored, Path path) {
  Tensors result;
  for (const auto& [name, value] : stored) {
    if (!is_left_out(name, path)) result.emplace(known_name(model, name), value);
  }
  return result;
}

// The mask of patches derived from SimMIM's mask of cells must equal the stored one.
void check_masks(CaseResult& result, const SwinCase& c) {
  if (c.model.program == SwinProgram::kSimMim && c.stored.contains("mask_units")) {
    const at::Tensor& units = c.stored.at("mask_units");
    const int64_t step = c.inputs.mask_Bhw.size(1) / units.size(1);
    compare_exactly(result, "mask_units",
                    c.inputs.mask_Bhw.slice(1, 0, c.inputs.mask_Bhw.size(1), step)
                        .slice(2, 0, c.inputs.mask_Bhw.size(2), step),
                    units);
  }
}

int64_t hidden_patches(const SwinCase& c) {
  const int64_t cells = c.model.options.unit() / c.model.options.patch;
  return c.inputs.mask_Bhw.sum().item<int64_t>() / (cells * cells);
}

// The share of hidden pixel values at which the gradients of the L1 loss differ in sign: one run
// predicts more than the image's value, the other less.
double changed_signs(const SwinCase& c, const Run& one, const Run& other) {
  const int64_t patch = c.model.options.patch;
  const at::Tensor hidden_B1HW = c.inputs.mask_Bhw.to(at::kBool)
                                     .repeat_interleave(patch, 1)
                                     .repeat_interleave(patch, 2)
                                     .unsqueeze(1);
  const auto signs = [&](const Run& run) {
    return (run.values.at("reconstruction") - c.inputs.images_BCHW)
        .sign()
        .masked_select(hidden_B1HW);
  };
  return signs(one).ne(signs(other)).to(at::kDouble).mean().item<double>();
}

}  // namespace

std::vector<CaseResult> swin_cases(const Entry& entry, const Request& request) {
  std::vector<CaseResult> results = in_three_types(entry, request, [&] {
    const SwinCase c = swin_case(entry, request);
    Subject subject{
        c.model.blocks(), known(c.model, c.stored, Path::kFast),
        [c](Path path, Types types) { return run_swin(c.model, c.inputs, path, types); },
        /*from_float64=*/true, c.model.program == SwinProgram::kSimMim ? hidden_patches(c) : 0};
    subject.changed_signs = [c](const Run& one, const Run& other) {
      return changed_signs(c, one, other);
    };
    return subject;
  });
  // Only the reference computes attention per window, as it is stored.
  if (entry.kind() != "forward") return results;
  add_case(results, request, entry.file + " [reference fp64, attention]", [&](CaseResult& result) {
    const SwinCase c = swin_case(entry, request);
    check_masks(result, c);
    const Run run = run_swin(c.model, c.inputs, Path::kReference, kFp64);
    for (const auto& [name, wanted] : c.stored) {
      if (!is_attention(name) || name.ends_with(".idx")) continue;
      const bool sampled = name.ends_with(".val");
      const std::string tensor = sampled ? name.substr(0, name.size() - 4) : name;
      const at::Tensor& value = run.values.at(tensor);
      at::Tensor got = value.flatten();
      if (sampled) got = got.index_select(0, c.stored.at(tensor + ".idx"));
      compare(result, tensor, got, wanted.flatten(), 1e-6, value.abs().max().item<double>());
    }
    ++result.tensors;
  });
  return results;
}

namespace {

// The tensors of one series of steps: "clip5.step3.X" belongs to the series "clip5" and becomes
// "step3.X". A file with one series has names without it.
Tensors of_series(const Tensors& stored, const std::string& series) {
  Tensors result;
  for (const auto& [name, value] : stored) {
    if (series.empty()) {
      result.emplace(name, value);
    } else if (name.starts_with(series + ".")) {
      result.emplace(name.substr(series.size() + 1), value);
    }
  }
  return result;
}

void compare_series(CaseResult& result, const Entry& entry, const SwinCase& c, Path path,
                    const std::string& series, const nlohmann::json& about) {
  SwinSteps steps;
  steps.clip = about.value("clip", 0.0);
  if (c.model.program == SwinProgram::kGreenMim) steps.beta2 = 0.95;
  if (c.model.program == SwinProgram::kClassifier) steps.layer_decay = 0.8;
  steps.rates.assign(about.at("losses_fp32").size() - 1, 1e-3);
  const Run run = run_swin_steps(c.model, c.inputs, path, steps);
  Entry of_series_entry = entry;
  of_series_entry.about["errors_fp32_vs_fp64"] = about.at("errors_fp32_vs_fp64");
  compare_steps(result, of_series_entry, of_series(c.stored, series), run);
}

}  // namespace

std::vector<CaseResult> swin_optimizer_cases(const Entry& entry, const Request& request) {
  std::vector<CaseResult> results;
  const nlohmann::json& all = entry.about.at("series");
  const bool one = all.contains("losses_fp32");
  for (const Path path : {Path::kFast, Path::kReference}) {
    const auto add = [&](const std::string& series, const nlohmann::json& about) {
      add_case(results, request,
               fmt::format("{}{}{} [{} fp32]", entry.file, series.empty() ? "" : " ", series,
                           path_name(path)),
               [&](CaseResult& result) {
                 compare_series(result, entry, swin_case(entry, request), path, series, about);
               });
    };
    if (one) {
      add("", all);
    } else {
      for (const auto& [series, about] : all.items()) add(series, about);
    }
  }
  return results;
}

}  // namespace fcm::parity
