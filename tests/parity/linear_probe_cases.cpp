// Cases of the kind linear-probe: two LARS steps of the upstream head on frozen features.
#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include <regex>

#include "fcm/heads/batch_norm_probe.h"
#include "fcm/loss/classification.h"
#include "fcm/nn/parameters.h"
#include "fcm/optim/lars.h"
#include "tests/parity/classifier_run.h"
#include "tests/parity/golden.h"
#include "tests/parity/three_types.h"

namespace fcm::parity {
namespace {

// Described in the manifest's text as "wd0 = weight decay 0, lr 1.6"; `tag` is "wd0".
struct Variant {
  std::string tag;
  double weight_decay = 0, lr = 0;
};

std::vector<Variant> variants(const Entry& entry) {
  const std::string text = entry.about.value("meaning", "");
  const std::regex pattern(R"((\w+) = weight decay ([\d.]+), lr ([\d.]+))");
  std::vector<Variant> found;
  for (std::sregex_iterator at(text.begin(), text.end(), pattern), end; at != end; ++at) {
    // If a full stop follows the number, it matches the pattern too; stod ignores it.
    found.push_back({(*at)[1], std::stod((*at)[2]), std::stod((*at)[3])});
  }
  return found;
}

void keep_step(Run& run, const std::string& step, const nn::Parameters& parameters) {
  run.values[step + "running_mean"] = parameters.find("head.0.running_mean").value.clone();
  run.values[step + "running_var"] = parameters.find("head.0.running_var").value.clone();
}

void probe(Run& run, const Variant& variant, const at::Tensor& features_BD, const Tensors& stored) {
  constexpr int kSteps = 2;
  const at::Tensor& labels = stored.at("labels");
  const at::Tensor& weight = stored.at("head.weight0");
  nn::Parameters parameters(0, at::kFloat);
  heads::BatchNormProbe head(nn::Scope(parameters) / "head", weight.size(1), weight.size(0));
  parameters.flatten();
  parameters.set_published(parameters.find("head.1.weight"), weight);
  parameters.set_published(parameters.find("head.1.bias"), stored.at("head.bias0"));
  optim::Lars optimizer(parameters, {variant.weight_decay, 0.9, 0.001});
  run.values[variant.tag + ".feature"] = features_BD;
  for (int step = 1; step <= kSteps; ++step) {
    const std::string prefix = fmt::format("{}.s{}.", variant.tag, step);
    optimizer.zero_gradients();
    const at::Tensor logits = head.train(features_BD);
    const at::Tensor loss = loss::cross_entropy(logits, labels);
    torch::autograd::backward({loss}, {});
    run.values[prefix + "logits_train"] = logits.detach();
    run.values[prefix + "loss"] = loss.detach();
    for (const char* name : {"weight", "bias"}) {
      const nn::Parameter& parameter = parameters.find(fmt::format("head.1.{}", name));
      run.values[prefix + "grad." + name] = parameter.value.grad().clone();
    }
    optimizer.step(variant.lr);
    for (const char* name : {"weight", "bias"}) {
      const nn::Parameter& parameter = parameters.find(fmt::format("head.1.{}", name));
      run.values[prefix + name] = parameter.value.detach().clone();
    }
    keep_step(run, prefix, parameters);
  }
  run.values[variant.tag + ".num_batches_tracked"] = at::scalar_tensor(head.batches(), at::kLong);
  run.values[variant.tag + ".logits_eval"] = head.evaluate(features_BD).detach();
}

}  // namespace

std::vector<CaseResult> linear_probe_cases(const Entry& entry, const Request& request) {
  std::vector<CaseResult> results;
  for (const Path path : {Path::kFast, Path::kReference}) {
    const std::string name = fmt::format("{} [{} fp32]", entry.file, path_name(path));
    add_case(results, request, name, [&](CaseResult& result) {
      PublishedModel model = published_model(entry.about);
      model.global_pool = true;  // the upstream class named in the manifest pools globally
      const Tensors stored = read_tensors(entry.path());
      const Inputs inputs = make_inputs(
          entry, model, reference::classifier_names_and_shapes(reference_classifier(model)), {});
      const at::NoGradGuard no_grad;
      const at::Tensor features = make_path(model, inputs, path, kFp32)->features();
      Run run;
      {
        const at::AutoGradMode with_gradients(true);
        for (const Variant& variant : variants(entry)) probe(run, variant, features, stored);
      }
      run.values["head.weight0"] = stored.at("head.weight0");
      run.values["head.bias0"] = stored.at("head.bias0");
      run.values["labels"] = stored.at("labels");
      compare_with_stored(result, entry, stored, run, Stored::kFloat32, float32_tolerance(entry));
    });
  }
  return results;
}

}  // namespace fcm::parity
