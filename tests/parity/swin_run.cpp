#include "tests/parity/swin_run.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include "fcm/loss/classification.h"
#include "tests/parity/swin_path.h"

namespace fcm::parity {

Losses classifier_losses(const at::Tensor& logits_BC, const SwinInputs& inputs, Run* run) {
  const at::Tensor ls = loss::label_smoothing_cross_entropy(logits_BC, inputs.labels_B, 0.1);
  Losses losses{{"ls", ls}};
  if (!inputs.targets_BC.defined()) return losses;
  const at::Tensor soft =
      loss::soft_target_cross_entropy(logits_BC, inputs.targets_BC.to(logits_BC.scalar_type()));
  losses.emplace_back("soft", soft);
  if (run == nullptr) return losses;
  run->values["loss_ls"] = ls.detach();
  run->values["loss_soft"] = soft.detach();
  run->values["loss_ce"] = loss::cross_entropy(logits_BC.detach(), inputs.labels_B);
  run->values["labels"] = inputs.labels_B;
  run->values["targets"] = inputs.targets_BC;
  return losses;
}

namespace {

std::unique_ptr<SwinPath> make_swin_path(const SwinModel& model, const SwinInputs& inputs,
                                         Path path, Types types) {
  if (path == Path::kFast) return make_fast_swin(model, inputs, types);
  return make_plain_swin(model, inputs, types);
}

void draw_gradients(SwinPath& path, Run& run, bool with_activations) {
  const Losses all = path.losses(with_activations ? &run : nullptr);
  for (const auto& [tag, loss] : all) {
    path.zero_gradients();
    torch::autograd::backward({loss}, {}, /*retain_graph=*/&loss != &all.back().second);
    for (const auto& [name, gradient] : path.gradients()) {
      run.values[fmt::format("grad.{}.{}", tag, name)] = gradient;
    }
    if (!run.values.contains("loss." + tag)) run.values["loss." + tag] = loss.detach();
  }
}

}  // namespace

Run run_swin(const SwinModel& model, const SwinInputs& inputs, Path path, Types types) {
  Run run;
  draw_gradients(*make_swin_path(model, inputs, path, types), run, true);
  if (model.program == SwinProgram::kGreenMim) {
    SwinModel plain = model;
    plain.options.norm_pix = false;
    draw_gradients(*make_swin_path(plain, inputs, path, types), run, false);
  }
  // The comparison (golden.cpp) looks up a stored "actstat.<name>" as the computed "act.<name>",
  // also if <name> is an output.
  for (const char* name : {"latent", "reconstruction", "pred", "logits", "pooled"}) {
    if (!run.values.contains(name)) continue;
    run.values[fmt::format("act.{}", name)] = run.values.at(name);
    if (run.computed.contains(name))
      run.computed[fmt::format("act.{}", name)] = run.computed.at(name);
  }
  return run;
}

Run run_swin_steps(const SwinModel& model, const SwinInputs& inputs, Path path,
                   const SwinSteps& steps) {
  Run run;
  const std::unique_ptr<SwinPath> trained = make_swin_path(model, inputs, path, {});
  trained->prepare_updates(steps);
  std::vector<double> losses, norms;
  for (size_t step = 0;; ++step) {
    const at::Tensor loss = trained->losses(nullptr).front().second;
    losses.push_back(loss.item<double>());
    if (step == steps.rates.size()) break;
    trained->zero_gradients();
    torch::autograd::backward({loss}, {});
    norms.push_back(trained->gradient_norm());
    const bool clips = steps.clip > 0 && norms.back() > steps.clip;
    trained->update(steps.rates[step], clips ? steps.clip / norms.back() : 1);
    for (const auto& [name, value] : trained->values()) {
      run.values[fmt::format("step{}.{}", step + 1, name)] = value;
    }
  }
  run.values["losses"] = at::tensor(at::ArrayRef<double>(losses), at::kDouble);
  run.values["grad_norms"] = at::tensor(at::ArrayRef<double>(norms), at::kDouble);
  return run;
}

}  // namespace fcm::parity
