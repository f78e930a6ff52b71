#include "fcm/tasks/reconstruct.h"

#include <ATen/ATen.h>

#include <numeric>
#include <span>

#include "fcm/loader/transform.h"
#include "fcm/train/setup.h"
#include "fcm/train/step.h"
#include "fcm/viz/reconstruction.h"

namespace fcm::tasks {
namespace {

// Predictions of all views of one picture, in raster order of patches and pixels, and which patches
// each view had to guess.
struct PicturePredictions {
  std::vector<float> predictions_GLD;
  std::vector<uint8_t> hidden_GL;
  int64_t views = 0;
};

PicturePredictions predictions_of(const decoder::Reconstruction& reconstruction,
                                  const masks::ViewPlan& plan, const ops::PatchGeometry& geometry,
                                  int64_t channels, int64_t picture) {
  const std::vector<int64_t> pixel_order = geometry.pixel_order();
  const int64_t patches = plan.patches();
  const auto dim = static_cast<int64_t>(pixel_order.size()) * channels;
  PicturePredictions result;
  result.views = plan.kept;
  result.predictions_GLD.resize(static_cast<size_t>(plan.kept * patches * dim));
  result.hidden_GL.resize(static_cast<size_t>(plan.kept * patches));
  const at::Tensor order_L = plan.order_BL[picture];
  const auto* order = order_L.const_data_ptr<int64_t>();
  for (const decoder::RunReconstruction& run : reconstruction.runs) {
    const at::Tensor values = run.predictions_BGHD[picture].to(at::kFloat).contiguous();
    const auto predicted = values.accessor<float, 3>();
    const auto slots = run.hidden_slots_GH.accessor<int64_t, 2>();
    for (int64_t view = 0; view < slots.size(0); ++view) {
      for (int64_t hidden = 0; hidden < slots.size(1); ++hidden) {
        const int64_t place = (run.run.first_view + view) * patches + order[slots[view][hidden]];
        result.hidden_GL[static_cast<size_t>(place)] = 1;
        float* patch = result.predictions_GLD.data() + place * dim;
        for (int64_t i = 0; i < dim; ++i) {
          patch[pixel_order[static_cast<size_t>(i / channels)] * channels + i % channels] =
              predicted[view][hidden][i];
        }
      }
    }
  }
  return result;
}

std::vector<float> floats(const std::vector<double>& values) {
  return {values.begin(), values.end()};
}

at::Tensor stacked(const std::vector<image::Image>& pictures) {
  std::vector<at::Tensor> tensors;
  for (const image::Image& picture : pictures) {
    tensors.push_back(at::from_blob(const_cast<uint8_t*>(picture.pixels.data()),
                                    {picture.rows, picture.cols, picture.channels}, at::kByte));
  }
  return at::stack(tensors);  // [B, H, W, C]
}

}  // namespace

image::Image reconstruction_sheet(const models::MaskedAutoencoder& model,
                                  const train::Recipe& recipe,
                                  const std::vector<image::Image>& pictures, uint64_t seed,
                                  const std::string& title) {
  const at::NoGradGuard no_grad;
  std::vector<int64_t> ids(pictures.size());
  std::iota(ids.begin(), ids.end(), 0);
  const masks::ViewPlan plan = masks::plan_for_samples(ids, seed, 0, model.grid(), recipe.masks);
  const at::Tensor pixels =
      train::pixels_of(stacked(pictures), plan, model.geometry(), recipe.data);
  const auto result = model.forward(pixels, plan, train::compute_type(recipe.model.precision));

  std::vector<PicturePredictions> predictions;
  for (size_t i = 0; i < pictures.size(); ++i) {
    predictions.push_back(predictions_of(result.reconstruction, plan, model.geometry(),
                                         recipe.data.channels, static_cast<int64_t>(i)));
  }
  std::vector<viz::Reconstruction> rows;
  for (size_t i = 0; i < pictures.size(); ++i) {
    viz::Reconstruction row;
    row.original = pictures[i];
    row.side = model.geometry().patch_side();
    row.views = predictions[i].views;
    row.predictions_GLD = predictions[i].predictions_GLD;
    row.hidden_GL = predictions[i].hidden_GL;
    row.normalised_patches = recipe.targets.norm_pix;
    row.variance_epsilon = recipe.targets.variance_epsilon;
    row.scale = {floats(recipe.data.mean), floats(recipe.data.deviation)};
    rows.push_back(std::move(row));
  }
  return viz::reconstruction_sheet(rows, title);
}

image::Image fit_to_recipe(const image::Image& picture, const train::Recipe& recipe) {
  image::Image fitted{recipe.data.image_size[0], recipe.data.image_size[1], picture.channels, {}};
  fitted.pixels.resize(static_cast<size_t>(fitted.rows * fitted.cols * fitted.channels));
  loader::view_for_evaluation(picture, recipe.data, fitted.pixels.data());
  return fitted;
}

}  // namespace fcm::tasks
