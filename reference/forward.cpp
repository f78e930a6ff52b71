#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include "fcm/base/error.h"
#include "reference/layers.h"
#include "reference/networks.h"
#include "reference/reference.h"
#include "reference/views.h"

namespace fcm::reference {
namespace {

// [B, L, patch_dim]; a patch holds (row, column, channel).
at::Tensor targets(const ReferenceOptions& options, const at::Tensor& images_BCHW) {
  const int64_t batch = images_BCHW.size(0), side = options.patch_side();
  const at::Tensor patches_BLD =
      images_BCHW
          .reshape({batch, options.channels, options.grid_rows(), side, options.grid_cols(), side})
          .permute({0, 2, 4, 3, 5, 1})
          .reshape({batch, options.patches(), options.patch_dim()});
  if (!options.norm_pix) return patches_BLD;
  const at::Tensor mean = patches_BLD.mean(-1, /*keepdim=*/true);
  const at::Tensor variance = patches_BLD.var(-1, /*unbiased=*/true, /*keepdim=*/true);
  return (patches_BLD - mean) / (variance + options.variance_epsilon).sqrt();
}

void check(const ReferenceOptions& options, const at::Tensor& images_BCHW,
           const at::Tensor& noise_BL, const std::vector<int64_t>& view_sizes) {
  const size_t stages = options.kind == Kind::kVit ? 1 : 3;
  require(options.strides.size() == stages && options.dims.size() == stages &&
              options.depths.size() == stages && options.mlp_ratios.size() == stages,
          "expected one element for each of {} stages, got {} strides, {} dims, {} "
          "depths and {} mlp_ratios",
          stages, options.strides.size(), options.dims.size(), options.depths.size(),
          options.mlp_ratios.size());
  const int64_t side = options.patch_side();
  if (options.rows % side != 0 || options.cols % side != 0) {
    fail(ExitCode::kUsage,
         "images of {} x {} pixels do not divide into patches of {} x {}; choose multiples of {}",
         options.rows, options.cols, side, side, side);
  }
  const std::vector<int64_t> images{images_BCHW.size(0), options.channels, options.rows,
                                    options.cols};
  require(images_BCHW.sizes() == at::IntArrayRef(images), "got images of [{}], expected [{}]",
          fmt::join(images_BCHW.sizes(), ", "), fmt::join(images, ", "));
  const std::vector<int64_t> noise{images_BCHW.size(0), options.patches()};
  require(noise_BL.sizes() == at::IntArrayRef(noise), "got noise of [{}], expected [{}]",
          fmt::join(noise_BL.sizes(), ", "), fmt::join(noise, ", "));
  if (view_sizes.size() == 1) {
    fail(ExitCode::kUsage,
         "one view of all {} patches hides nothing, so there is no loss; raise masks.ratio",
         options.patches());
  }
}

at::Tensor smooth_l1(const at::Tensor& difference) {
  const at::Tensor size = difference.abs();
  return at::where(size < 1, 0.5 * difference.pow(2), size - 0.5);
}

// The error of a target for each patch: [N, L].
at::Tensor errors(const ReferenceOptions::Target& target, const at::Tensor& difference_NLD) {
  const at::Tensor each = target.name == "rgb" ? difference_NLD.pow(2) : smooth_l1(difference_NLD);
  return each.mean(-1);
}

// Mean over kept views and the patches that each predicts.
at::Tensor target_loss(const ReferenceOptions::Target& target, size_t place,
                       const std::vector<RunOutput>& outputs, const at::Tensor& targets_BLD,
                       const Views& views, double share) {
  at::Tensor error;
  double guesses = 0;
  for (const auto& [run, latent_NTD, predictions_NLD] : outputs) {
    const at::Tensor predicted_GBLD = predictions_NLD[place]
                                          .to(targets_BLD.scalar_type())
                                          .unflatten(0, {run.count, views.batch()});
    const at::Tensor per_patch_GBL = errors(target, predicted_GBLD - targets_BLD);
    const at::Tensor guessed_GBL =
        views.predicted(run, share).unflatten(0, {run.count, views.batch()});
    const at::Tensor run_error = (per_patch_GBL * guessed_GBL).sum();
    error = error.defined() ? error + run_error : run_error;
    guesses += guessed_GBL.sum().item<double>();
  }
  return error / guesses;
}

// Mean over kept views and their visible patches. The latent holds these by ascending noise.
at::Tensor mimic_loss(const Layers& layers, const std::vector<RunOutput>& outputs,
                      const at::Tensor& features_BLD, const Views& views) {
  at::Tensor error;
  int64_t seen = 0;
  for (const auto& [run, latent_NTD, predictions_NLD] : outputs) {
    const at::Tensor patches_NkC =
        latent_NTD.slice(1, latent_NTD.size(1) - run.size);  // skips the class token
    const at::Tensor guesses_NkD = layers.linear(
        "mimic.pred", layers.layer_norm("mimic.norm", patches_NkC, kTransformerNormEpsilon));
    for (int64_t place = 0; place < run.count; ++place) {
      const int64_t start = views.starts[static_cast<size_t>(run.first + place)];
      const at::Tensor ids_Bk = views.ids_shuffle_BL.slice(1, start, start + run.size);
      const at::Tensor wanted_BkD =
          features_BLD.gather(1, ids_Bk.unsqueeze(-1).expand({-1, -1, features_BLD.size(2)}));
      const at::Tensor guess_BkD =
          guesses_NkD.slice(0, place * views.batch(), (place + 1) * views.batch());
      const at::Tensor sum = smooth_l1(guess_BkD - wanted_BkD).mean(-1).sum();
      error = error.defined() ? error + sum : sum;
      seen += views.batch() * run.size;
    }
  }
  return error / seen;
}

}  // namespace

ReferenceResult forward(const Weights& weights, const ReferenceOptions& options,
                        const at::Tensor& images_BCHW, const at::Tensor& noise_BL,
                        const std::vector<int64_t>& view_sizes, int64_t kept_views,
                        const nn::Observer& observer,
                        const std::map<std::string, at::Tensor>& features) {
  check(options, images_BCHW, noise_BL, view_sizes);
  const Layers layers(weights, options.compute, observer);
  const at::ScalarType type = layers.weight("norm.weight").scalar_type();
  const at::Tensor images = images_BCHW.to(type);
  const Views views = split_into_views(noise_BL, view_sizes, kept_views, type);
  const std::vector<RunOutput> outputs = options.kind == Kind::kVit
                                             ? mae(layers, options, images, views)
                                             : fast_conv_mae(layers, options, images, views);
  ReferenceResult result;
  result.masks = views.masks;
  const auto add = [&](const at::Tensor& loss, double weight) {
    result.losses.push_back(loss);
    result.loss = result.loss.defined() ? result.loss + weight * loss : weight * loss;
  };
  std::vector<ReferenceOptions::Target> wanted = options.targets;
  if (wanted.empty()) wanted.push_back({"rgb"});
  for (size_t place = 0; place < wanted.size(); ++place) {
    const std::string& name = wanted[place].name;
    const at::Tensor targets_BLD = name == "rgb" ? targets(options, images) : features.at(name);
    add(target_loss(wanted[place], place, outputs, targets_BLD, views, options.share),
        wanted[place].weight);
  }
  if (options.mimic_dim > 0) {
    add(mimic_loss(layers, outputs, features.at("mimic"), views), options.mimic_weight);
  }
  for (const auto& [run, latent_NTD, predictions_NLD] : outputs) {
    for (const at::Tensor& view : latent_NTD.chunk(run.count, 0)) result.latents.push_back(view);
    for (const at::Tensor& view : predictions_NLD.front().chunk(run.count, 0)) {
      result.predictions.push_back(view);
    }
  }
  return result;
}

}  // namespace fcm::reference
