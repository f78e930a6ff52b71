// Cases of the kind oracle. FastConvMAE equals four ConvMAEs, one per view: its loss and gradients
// are the means of the four, and its latents are those of the four.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include "fcm/base/error.h"
#include "tests/parity/cases.h"
#include "tests/parity/run.h"

namespace fcm::parity {
namespace {

constexpr int64_t kViews = 4;

// Noise with which upstream ConvMAE keeps view `view`. ConvMAE keeps the patches of the lowest
// ranks, so the ranks are rotated until these patches are those of the view.
at::Tensor noise_of_view(const at::Tensor& noise_BL, int64_t view) {
  const int64_t patches = noise_BL.size(1), size = patches / kViews;
  const at::Tensor ranks = noise_BL.argsort(int64_t{1}).argsort(int64_t{1});
  return (ranks - size * view).remainder(patches).to(at::kDouble) / static_cast<double>(patches);
}

// The small FastConvMAE entry of the same set.
Entry small_fast_conv_mae(const Entry& oracle) {
  for (const Entry& entry : find_entries(oracle.folder)) {
    if (entry.kind() != "forward" || entry.folder != oracle.folder) continue;
    if (published_model(entry.about).family == Family::kFastConvMae) return entry;
  }
  fail(ExitCode::kData, "the manifest of {} has no \"forward\" entry of FastConvMAE", oracle.file);
}

void four_models(CaseResult& result, const Entry& oracle, Path path) {
  const Entry entry = small_fast_conv_mae(oracle);
  const PublishedModel fast = published_model(entry.about);
  PublishedModel one_view = fast;
  one_view.family = Family::kConvMae;
  const Inputs inputs = make_inputs(entry, fast, parameters_of(fast), {});
  constexpr Types types{at::kDouble, at::kDouble};
  const Run all = run_pretraining(fast, inputs, path, types);
  std::vector<at::Tensor> latents;
  Tensors means;
  for (int64_t view = 0; view < kViews; ++view) {
    Inputs turned = inputs;
    turned.noise_BL = noise_of_view(inputs.noise_BL, view);
    const Run one = run_pretraining(one_view, turned, path, types);
    latents.push_back(one.values.at("latent"));
    for (const auto& [name, value] : one.values) {
      if (!name.starts_with("loss.") && !name.starts_with("grad.")) continue;
      const at::Tensor part = value / static_cast<double>(kViews);
      means[name] = means.contains(name) ? means.at(name) + part : part;
    }
  }
  compare(result, "latent", all.values.at("latent"), at::cat(latents), 1e-13);
  for (const auto& [name, mean] : means) compare(result, name, all.values.at(name), mean, 1e-12);
}

}  // namespace

std::vector<CaseResult> oracle_cases(const Entry& entry, const Request& request) {
  std::vector<CaseResult> results;
  for (const auto& [path, name] :
       {std::pair{Path::kFast, "fast"}, std::pair{Path::kReference, "reference"}}) {
    add_case(results, request, fmt::format("{} [{} fp64]", entry.file, name),
             [&, chosen = path](CaseResult& result) { four_models(result, entry, chosen); });
  }
  return results;
}

}  // namespace fcm::parity
