#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include "fcm/base/error.h"
#include "fcm/reference/layers.h"
#include "fcm/reference/networks.h"
#include "fcm/reference/reference.h"
#include "fcm/reference/views.h"

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
          "the reference model has {} stages", stages);
  const int64_t side = options.patch_side();
  if (options.rows % side != 0 || options.cols % side != 0) {
    fail(ExitCode::kUsage,
         "pictures of {} x {} pixels do not divide into patches of {} x {}; choose multiples of {}",
         options.rows, options.cols, side, side, side);
  }
  const std::vector<int64_t> images{images_BCHW.size(0), options.channels, options.rows,
                                    options.cols};
  require(images_BCHW.sizes() == at::IntArrayRef(images), "pictures of another shape than [{}]",
          fmt::join(images, ", "));
  const std::vector<int64_t> noise{images_BCHW.size(0), options.patches()};
  require(noise_BL.sizes() == at::IntArrayRef(noise), "noise of another shape than [{}]",
          fmt::join(noise, ", "));
  if (view_sizes.size() == 1) {
    fail(ExitCode::kUsage,
         "one view of all {} patches hides nothing, so there is no loss; raise masks.ratio",
         options.patches());
  }
}

}  // namespace

ReferenceResult forward(const Weights& weights, const ReferenceOptions& options,
                        const at::Tensor& images_BCHW, const at::Tensor& noise_BL,
                        const std::vector<int64_t>& view_sizes, int64_t kept_views,
                        const nn::Observer& observer) {
  check(options, images_BCHW, noise_BL, view_sizes);
  const Layers layers(weights, options.compute, observer);
  const at::ScalarType type = layers.weight("norm.weight").scalar_type();
  const at::Tensor images = images_BCHW.to(type);
  const Views views = split_into_views(noise_BL, view_sizes, kept_views, type);
  const std::vector<RunOutput> outputs = options.kind == Kind::kVit
                                             ? mae(layers, options, images, views)
                                             : fast_conv_mae(layers, options, images, views);
  const at::Tensor targets_BLD = targets(options, images);

  ReferenceResult result;
  result.masks = views.masks;
  at::Tensor error;
  int64_t hidden = 0;
  for (const auto& [run, latent_NTD, predictions_NLD] : outputs) {
    const at::Tensor per_patch_GBL =
        (predictions_NLD.to(type).unflatten(0, {run.count, views.batch()}) - targets_BLD)
            .pow(2)
            .mean(-1);
    const at::TensorList all_masks(views.masks);
    const at::Tensor masks_GBL = at::stack(
        all_masks.slice(static_cast<size_t>(run.first), static_cast<size_t>(run.count)), 0);
    const at::Tensor run_error = (per_patch_GBL * masks_GBL).sum();
    error = error.defined() ? error + run_error : run_error;
    hidden += run.count * views.batch() * (views.patches() - run.size);
    for (const at::Tensor& view : latent_NTD.chunk(run.count, 0)) result.latents.push_back(view);
    for (const at::Tensor& view : predictions_NLD.chunk(run.count, 0)) {
      result.predictions.push_back(view);
    }
  }
  result.loss = error / hidden;
  return result;
}

}  // namespace fcm::reference
