#include "fcm/decoder/linear.h"

#include <ATen/ATen.h>

#include "fcm/base/error.h"

namespace fcm::decoder {

LinearDecoder::LinearDecoder(const nn::Scope& scope, int64_t encoder_dim,
                             const std::vector<Output>& outputs) {
  for (const Output& output : outputs) {
    const std::string name =
        outputs.size() == 1 ? "decoder_pred" : "reconstructors." + output.name + ".pred";
    branches_.push_back(
        {name, nn::Linear::pointwise(scope / name, encoder_dim, output.dim, output.layout)});
  }
}

Reconstruction LinearDecoder::operator()(const DecoderInput& seen, const masks::ViewPlan& plan,
                                         const nn::Observer& observer) const {
  const at::Tensor& latent_BLC = seen.latent_BKC;
  require(
      plan.kept == 1 && latent_BLC.size(1) == plan.patches(),
      "LinearDecoder: got {} kept views and latents of {} patches, expected one view and all {}",
      plan.kept, latent_BLC.size(1), plan.patches());
  const masks::ViewRun run = plan.kept_runs().front();
  // The kept view comes first; the remaining slots are hidden.
  const at::Tensor hidden_BHC = latent_BLC.slice(1, run.size);
  RunReconstruction result{run, plan.hidden_slots_GH.front(), {}};
  for (const Branch& branch : branches_) {
    const at::Tensor predictions_BHD = branch.pred(hidden_BHC);
    nn::observe(observer, branch.name, predictions_BHD);
    result.predictions_BGHD.push_back(predictions_BHD.unsqueeze(1));
  }
  Reconstruction reconstruction;
  reconstruction.runs.push_back(std::move(result));
  return reconstruction;
}

}  // namespace fcm::decoder
