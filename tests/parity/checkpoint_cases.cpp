// Compares what is read from checkpoint files with their stored content, and steps after resuming
// from such a file with stored steps.
#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include <map>
#include <regex>

#include "fcm/base/error.h"
#include "fcm/formats/plain_data.h"
#include "fcm/formats/pth.h"
#include "fcm/interop/published.h"
#include "fcm/train/state.h"
#include "tests/parity/cases.h"
#include "tests/parity/golden.h"
#include "tests/parity/pretraining_case.h"
#include "tests/parity/run.h"
#include "tests/parity/steps.h"
#include "tests/parity/swin_run.h"

namespace fcm::parity {
namespace {

using formats::PthFile;
using formats::TensorView;
using formats::Value;

// The "expected" file next to a checkpoint whose stem is the longest prefix of the checkpoint's
// stem: mini.expected.json belongs to mini_legacy.pth.
std::filesystem::path expected_path(const Entry& entry, const char* ending) {
  const std::filesystem::path folder = entry.path().parent_path();
  for (std::string stem = entry.stem(); !stem.empty(); stem.pop_back()) {
    const std::filesystem::path path = folder / (stem + ending);
    if (std::filesystem::exists(path)) return path;
  }
  fail(ExitCode::kData, "no file next to {} lists its expected content", entry.file);
}

// The file's tensors under the names of the expected files, in which the tensors of a bare
// state_dict begin with "model.".
std::map<std::string, const TensorView*> tensors_of(const PthFile& file) {
  const bool nested = file.root.find("model") != nullptr;
  std::map<std::string, const TensorView*> tensors;
  for (const TensorView& view : file.tensors) {
    if (view.name.ends_with(".step")) continue;  // compare_steps_of_state compares these
    tensors[nested ? view.name : "model." + view.name] = &view;
  }
  return tensors;
}

const char* python_type(const std::string& dtype) {
  static const std::map<std::string, const char*> names{
      {"F64", "float64"}, {"F32", "float32"}, {"F16", "float16"}, {"BF16", "bfloat16"},
      {"I64", "int64"},   {"I32", "int32"},   {"I16", "int16"},   {"I8", "int8"},
      {"U8", "uint8"},    {"BOOL", "bool"}};
  return names.at(dtype);
}

// Values must be equal after conversion to the dtype of the expected file.
void compare_values(CaseResult& result, const std::string& name, const TensorView& view,
                    const Tensors& expected) {
  const auto whole = expected.find(name), sample = expected.find(name + ".val");
  at::Tensor got = train::to_tensor(view);
  if (whole != expected.end()) return compare_exactly(result, name, got, whole->second);
  if (sample == expected.end()) {
    return add_fault(result, name + " is in the file, but not in the expected file");
  }
  got = got.flatten().index_select(0, expected.at(name + ".idx").flatten());
  compare_exactly(result, name, got, sample->second);
}

void compare_tensors(CaseResult& result, const PthFile& file, const Tensors& expected) {
  const auto tensors = tensors_of(file);
  for (const auto& [name, view] : tensors) compare_values(result, name, *view, expected);
  const bool with_optimizer = file.root.find("optimizer") != nullptr;
  for (const auto& [name, tensor] : expected) {
    if (name.ends_with(".idx") || (!with_optimizer && !name.starts_with("model."))) continue;
    const std::string whole = name.ends_with(".val") ? name.substr(0, name.size() - 4) : name;
    if (!tensors.contains(whole)) add_fault(result, whole + " is expected, but not in the file");
  }
}

// Replaces each {"pathlib.PosixPath": text} of the expected file by the text.
nlohmann::json without_paths(const nlohmann::json& value) {
  if (!value.is_object()) return value;
  nlohmann::json plain = nlohmann::json::object();
  for (const auto& [key, item] : value.items()) {
    if (key.starts_with("pathlib.")) return item;
    plain[key] = without_paths(item);
  }
  return plain;
}

void compare_json(CaseResult& result, const std::string& name, const nlohmann::json& got,
                  const nlohmann::json& wanted) {
  ++result.tensors;
  if (got != wanted) {
    add_fault(result, fmt::format("{} is {}, not {}", name, got.dump().substr(0, 200),
                                  wanted.dump().substr(0, 200)));
  }
}

// Files of older versions have fewer keys per group; every key that a file has must match.
void compare_param_groups(CaseResult& result, const nlohmann::json& got,
                          const nlohmann::json& wanted) {
  compare_json(result, "number of groups", got.size(), wanted.size());
  for (size_t i = 0; i < std::min(got.size(), wanted.size()); ++i) {
    for (const auto& [key, value] : got[i].items()) {
      compare_json(result, fmt::format("param_groups.{}.{}", i, key), value,
                   wanted[i].value(key, nlohmann::json("not expected")));
    }
  }
}

void compare_steps_of_state(CaseResult& result, const PthFile& file, const nlohmann::json& plain,
                            const nlohmann::json& wanted) {
  std::map<std::string, double> steps;
  for (const TensorView& view : file.tensors) {
    std::smatch match;
    if (std::regex_match(view.name, match, std::regex(R"(optimizer\.state\.(\d+)\.step)"))) {
      steps[match[1]] = train::to_tensor(view).item<double>();
    }
  }
  for (const auto& [index, number] : wanted.items()) {
    const nlohmann::json state = plain.at("optimizer").at("state").at(index);
    const double got = steps.contains(index) ? steps.at(index) : state.value("step", -1.0);
    compare_number(result, "step " + index, got, number.get<double>(), 0);
  }
}

void compare_plain_data(CaseResult& result, const PthFile& file, const nlohmann::json& expected) {
  const nlohmann::json plain = formats::to_json(file.root);
  for (const TensorView& view : file.tensors) {
    const std::string name = view.name.starts_with("model.") ? view.name.substr(6) : view.name;
    if (name.starts_with("optimizer.")) continue;
    if (expected.contains("model.dtypes")) {
      compare_json(result, name + " type", python_type(view.dtype),
                   expected.at("model.dtypes").value(name, "not expected"));
    }
    if (expected.contains("shapes")) {
      compare_json(result, name + " shape", view.shape, expected.at("shapes").at(name));
    }
  }
  if (!plain.contains("optimizer")) return;
  compare_param_groups(result, plain.at("optimizer").at("param_groups"),
                       expected.at("optimizer.param_groups"));
  compare_steps_of_state(result, file, plain, expected.at("optimizer.step"));
  for (const char* key : {"epoch", "scaler", "args"}) {
    compare_json(result, key, plain.value(key, nlohmann::json()), without_paths(expected.at(key)));
  }
}

void read_file(CaseResult& result, const Entry& entry) {
  const PthFile file = formats::read_pth(entry.path());
  compare_tensors(result, file, read_tensors(expected_path(entry, ".expected.safetensors")));
  compare_plain_data(result, file, read_json(expected_path(entry, ".expected.json")));
}

// The expected files of Swins have other keys.
void read_swin_file(CaseResult& result, const Entry& entry) {
  const PthFile file = formats::read_pth(entry.path());
  compare_tensors(result, file, read_tensors(expected_path(entry, ".expected.safetensors")));
  const nlohmann::json expected = read_json(expected_path(entry, ".expected.json"));
  const nlohmann::json plain = formats::to_json(file.root);
  for (const char* key : {"epoch", "scaler", "args", "lr_scheduler", "max_accuracy", "amp"}) {
    if (!expected.contains(key)) continue;
    compare_json(result, key, plain.value(key, nlohmann::json()), without_paths(expected.at(key)));
  }
  compare_param_groups(result, plain.at("optimizer").at("param_groups"),
                       expected.at("optimizer_param_groups"));
  compare_steps_of_state(result, file, plain, expected.at("optimizer_step"));
  SilentReporter silence;
  const checkpoint::Checkpoint loaded =
      interop::from_pth(formats::read_pth(entry.path()), entry.path(), true, silence);
  compare_json(result, "why the moments were not read",
               loaded.state.value("optimizer_left_out", ""), "");
}

}  // namespace

std::vector<CaseResult> checkpoint_cases(const Entry& entry, const Request& request) {
  std::vector<CaseResult> results;
  add_case(results, request, entry.file, [&](CaseResult& result) {
    is_swin(entry) ? read_swin_file(result, entry) : read_file(result, entry);
  });
  return results;
}

namespace {

// Parses "learning rates 1e-3 and 1.5e-3" in the manifest's text.
std::vector<double> learning_rates(const Entry& entry) {
  const std::string text = entry.about.value("meaning", "");
  std::smatch match;
  const std::regex pattern(R"(learning rates ([\d.e-]+) and ([\d.e-]+))");
  require(std::regex_search(text, match, pattern), "the manifest names no learning rates: {}",
          text);
  return {std::stod(match[1]), std::stod(match[2])};
}

// The checkpoint from which a "resumed" file continued.
Entry entry_of_checkpoint(const Entry& resumed) {
  const std::filesystem::path wanted = resumed.path().parent_path() / (resumed.stem() + ".pth");
  for (const Entry& entry : find_entries(resumed.folder)) {
    if (entry.path() == wanted) return entry;
  }
  fail(ExitCode::kData, "{} is not in the manifest", wanted.string());
}

void resume(CaseResult& result, const Entry& entry, Path path) {
  const Entry start = entry_of_checkpoint(entry);
  const PublishedModel model = published_model(start.about);
  const Inputs inputs = make_inputs(start, model, parameters_of(model), {});
  SilentReporter silence;
  const checkpoint::Checkpoint loaded =
      interop::from_pth(formats::read_pth(start.path()), start.path(), true, silence);
  Tensors stored = read_tensors(entry.path());
  const std::vector<double> rates = learning_rates(entry);
  Run run = run_adamw(model, inputs, path, rates, &loaded);
  const std::string last = fmt::format("step{}.", rates.size());
  for (const auto& [name, shape] : parameters_of(model)) {
    run.values["model." + name] = run.values.at(last + name);
  }
  // The stored losses include the steps before the checkpoint. The run's losses include one more,
  // that after the last step.
  const int64_t count = static_cast<int64_t>(rates.size());
  const at::Tensor losses = stored.at("losses");
  stored["losses"] = losses.slice(0, losses.numel() - count);
  run.values["losses"] = run.values.at("losses").slice(0, 0, count);
  compare_steps(result, entry, stored, run);
}

// Resumes after two of four steps and takes the stored learning rates of the last two.
void resume_swin(CaseResult& result, const Entry& entry, Path path) {
  const Entry start = entry_of_checkpoint(entry);
  SwinModel model = swin_model(start);
  SilentReporter silence;
  const checkpoint::Checkpoint loaded =
      interop::from_pth(formats::read_pth(start.path()), start.path(), true, silence);
  const SwinInputs inputs = swin_inputs(start, model, {});
  Tensors stored = read_tensors(entry.path());
  const at::Tensor lrs = stored.at("lrs").to(at::kDouble);
  SwinSteps steps;
  steps.start = &loaded;
  if (model.program == SwinProgram::kGreenMim) steps.beta2 = 0.95;
  if (model.program == SwinProgram::kSimMim) steps.clip = 5;
  for (const int64_t i : {2, 3}) steps.rates.push_back(lrs[i].item<double>());
  Run run = run_swin_steps(model, inputs, path, steps);
  for (const auto& [name, shape] : model.parameters()) {
    const std::string in_file = name_in_file(model.program, name);
    run.values["model." + in_file] = run.values.at("step2." + in_file);
  }
  stored.erase("lrs");
  stored["losses"] = stored.at("losses").slice(0, 2);
  run.values["losses"] = run.values.at("losses").slice(0, 0, 2);
  compare_steps(result, entry, stored, run);
}

}  // namespace

std::vector<CaseResult> swin_resume_cases(const Entry& entry, const Request& request) {
  std::vector<CaseResult> results;
  if (entry.file.find(".resumed.") == std::string::npos) return results;
  for (const Path path : {Path::kFast, Path::kReference}) {
    add_case(results, request,
             fmt::format("{} [{} fp32]", entry.file, path == Path::kFast ? "fast" : "reference"),
             [&](CaseResult& result) { resume_swin(result, entry, path); });
  }
  return results;
}

std::vector<CaseResult> resume_cases(const Entry& entry, const Request& request) {
  std::vector<CaseResult> results;
  if (entry.file.find(".resumed.") == std::string::npos) return results;
  for (const Path path : {Path::kFast, Path::kReference}) {
    const std::string name =
        fmt::format("{} [{} fp32]", entry.file, path == Path::kFast ? "fast" : "reference");
    add_case(results, request, name, [&](CaseResult& result) { resume(result, entry, path); });
  }
  return results;
}

}  // namespace fcm::parity
