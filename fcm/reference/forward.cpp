#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <numeric>

#include "fcm/base/error.h"
#include "fcm/reference/layers.h"
#include "fcm/reference/reference.h"
#include "fcm/reference/views.h"

namespace fcm::reference {
namespace {

std::string numbered(const char* name, int64_t index) {
  return std::string(name) + "." + std::to_string(index);
}

at::Tensor as_tokens(const at::Tensor& x_BCHW) { return x_BCHW.flatten(2).transpose(1, 2); }

// What the conv stages hand on: tokens for the transformer blocks, and two maps that join after
// them.
struct ConvFeatures {
  at::Tensor tokens_BLD, fuse1_BLD, fuse2_BLD;
};

ConvFeatures conv_stages(const Layers& layers, const ReferenceOptions& options,
                         const at::Tensor& images_BCHW, const Views& views) {
  const auto& strides = options.strides;
  const auto maps_of = [&](int64_t cells) {
    return views.visible_maps(options.grid_rows(), options.grid_cols(), cells, layers.compute());
  };
  at::Tensor x = layers.patch_embed("patch_embed1", images_BCHW, strides[0]);
  const int64_t across = strides[1] * strides[2];
  const std::vector<at::Tensor> maps1 = maps_of(across);
  for (int64_t block = 0; block < options.depths[0]; ++block) {
    x = layers.conv_block(numbered("blocks1", block), x, maps1);
  }
  ConvFeatures features;
  features.fuse1_BLD = as_tokens(layers.conv("stage1_output_decode", x, across));
  x = layers.patch_embed("patch_embed2", x, strides[1]);
  const std::vector<at::Tensor> maps2 = maps_of(strides[2]);
  for (int64_t block = 0; block < options.depths[1]; ++block) {
    x = layers.conv_block(numbered("blocks2", block), x, maps2);
  }
  features.fuse2_BLD = as_tokens(layers.conv("stage2_output_decode", x, strides[2]));
  x = as_tokens(layers.patch_embed("patch_embed3", x, strides[2]));
  features.tokens_BLD = layers.linear("patch_embed4", x) + layers.weight("pos_embed");
  return features;
}

at::Tensor transformer_stage(const Layers& layers, const ReferenceOptions& options,
                             const ConvFeatures& features, const Views& views, const Run& run) {
  at::Tensor x = views.gather(run, features.tokens_BLD);
  const at::Tensor fuse1 = views.gather(run, features.fuse1_BLD);
  const at::Tensor fuse2 = views.gather(run, features.fuse2_BLD);
  for (int64_t block = 0; block < options.depths[2]; ++block) {
    x = layers.transformer_block(numbered("blocks3", block), x, options.heads);
  }
  return layers.layer_norm("norm", x + fuse1 + fuse2, kTransformerNormEpsilon);
}

// Puts each view's tokens where they belong in the picture and mask tokens everywhere else.
at::Tensor unshuffle(const Layers& layers, const at::Tensor& embedded_NkD, const Views& views,
                     const Run& run) {
  const int64_t rows = embedded_NkD.size(0), width = embedded_NkD.size(2);
  const int64_t hidden = views.patches() - run.size;
  const at::Tensor mask_tokens = layers.weight("mask_token").expand({rows, hidden, width});
  const at::Tensor ranked = at::cat({embedded_NkD, mask_tokens}, 1);
  std::vector<at::Tensor> rolled = ranked.chunk(run.count, 0);
  for (int64_t place = 0; place < run.count; ++place) {
    at::Tensor& view = rolled[static_cast<size_t>(place)];
    view = view.roll(views.starts[static_cast<size_t>(run.first + place)], 1);
  }
  const at::Tensor ids = views.ids_restore_BL.repeat({run.count, 1});
  return at::gather(at::cat(rolled, 0), 1, ids.unsqueeze(-1).expand({-1, -1, width}));
}

at::Tensor decode(const Layers& layers, const ReferenceOptions& options,
                  const at::Tensor& latent_NkD, const Views& views, const Run& run) {
  at::Tensor x = unshuffle(layers, layers.linear("decoder_embed", latent_NkD), views, run) +
                 layers.weight("decoder_pos_embed");
  for (int64_t block = 0; block < options.decoder_depth; ++block) {
    x = layers.transformer_block(numbered("decoder_blocks", block), x, options.decoder_heads);
  }
  return layers.linear("decoder_pred",
                       layers.layer_norm("decoder_norm", x, kTransformerNormEpsilon));
}

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
  require(options.strides.size() == 3 && options.dims.size() == 3 && options.depths.size() == 3 &&
              options.mlp_ratios.size() == 3,
          "the reference model has three stages");
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
                        const std::vector<int64_t>& view_sizes, int64_t kept_views) {
  check(options, images_BCHW, noise_BL, view_sizes);
  const Layers layers(weights, options.compute);
  const at::ScalarType type = layers.weight("norm.weight").scalar_type();
  const at::Tensor images = images_BCHW.to(type);
  const Views views = split_into_views(noise_BL, view_sizes, kept_views, type);
  const ConvFeatures features = conv_stages(layers, options, images, views);
  const at::Tensor targets_BLD = targets(options, images);

  ReferenceResult result;
  result.masks = views.masks;
  at::Tensor error;
  int64_t hidden = 0;
  for (const Run& run : views.runs) {
    const at::Tensor latent_NkD = transformer_stage(layers, options, features, views, run);
    const at::Tensor predictions_NLD = decode(layers, options, latent_NkD, views, run);
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
    for (const at::Tensor& view : latent_NkD.chunk(run.count, 0)) result.latents.push_back(view);
    for (const at::Tensor& view : predictions_NLD.chunk(run.count, 0)) {
      result.predictions.push_back(view);
    }
  }
  result.loss = error / hidden;
  return result;
}

}  // namespace fcm::reference
