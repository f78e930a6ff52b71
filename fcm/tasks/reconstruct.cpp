#include "fcm/tasks/reconstruct.h"

#include <ATen/ATen.h>

#include <numeric>
#include <span>

#include "fcm/loader/transform.h"
#include "fcm/models/inputs.h"
#include "fcm/ops/reference_ops.h"
#include "fcm/recipe/setup.h"
#include "fcm/train/step.h"
#include "fcm/viz/feature_image.h"
#include "fcm/viz/reconstruction.h"

namespace fcm::tasks {
namespace {

// The predictions of all views of one image for one target, and the hidden patches of each view.
// Patches, and pixels within a patch, are in raster order.
struct ImagePredictions {
  std::vector<float> predictions_GLD;
  std::vector<uint8_t> hidden_GL;
  int64_t views = 0;
};

// One target of a reconstruction, with the order of the values of a patch.
struct Selected {
  const decoder::Reconstruction& reconstruction;
  const masks::ViewPlan& plan;
  size_t target = 0;
  std::vector<int64_t> place;  // index of a predicted value -> its index in the result
};

ImagePredictions predictions_of(const Selected& selected, int64_t image) {
  const masks::ViewPlan& plan = selected.plan;
  const int64_t patches = plan.patches();
  const auto dim = static_cast<int64_t>(selected.place.size());
  ImagePredictions result;
  result.views = plan.kept;
  result.predictions_GLD.resize(static_cast<size_t>(plan.kept * patches * dim));
  result.hidden_GL.resize(static_cast<size_t>(plan.kept * patches));
  const at::Tensor order_L = plan.order_BL[image];
  const auto* order = order_L.const_data_ptr<int64_t>();
  for (const decoder::RunReconstruction& run : selected.reconstruction.runs) {
    const at::Tensor values =
        run.predictions_BGHD[selected.target][image].to(at::kFloat).contiguous();
    const auto predicted = values.accessor<float, 3>();
    const auto slots = run.hidden_slots_GH.accessor<int64_t, 2>();
    for (int64_t view = 0; view < slots.size(0); ++view) {
      for (int64_t hidden = 0; hidden < slots.size(1); ++hidden) {
        const int64_t place = (run.run.first_view + view) * patches + order[slots[view][hidden]];
        result.hidden_GL[static_cast<size_t>(place)] = 1;
        float* patch = result.predictions_GLD.data() + place * dim;
        for (int64_t i = 0; i < dim; ++i) {
          patch[selected.place[static_cast<size_t>(i)]] = predicted[view][hidden][i];
        }
      }
    }
  }
  return result;
}

decoder::Reconstruction on_cpu(decoder::Reconstruction reconstruction) {
  for (decoder::RunReconstruction& run : reconstruction.runs) {
    run.hidden_slots_GH = run.hidden_slots_GH.cpu();
    for (at::Tensor& predictions : run.predictions_BGHD) predictions = predictions.cpu();
  }
  return reconstruction;
}

// Selected::place for pixels, which are predicted in stored order (PatchGeometry::pixel_order) and
// drawn in raster order.
std::vector<int64_t> pixel_places(const ops::PatchGeometry& geometry, int64_t channels) {
  std::vector<int64_t> places;
  for (const int64_t pixel : geometry.pixel_order()) {
    for (int64_t channel = 0; channel < channels; ++channel) {
      places.push_back(pixel * channels + channel);
    }
  }
  return places;
}

std::vector<int64_t> in_order(int64_t dim) {
  std::vector<int64_t> places(static_cast<size_t>(dim));
  std::iota(places.begin(), places.end(), 0);
  return places;
}

std::vector<float> floats(const std::vector<double>& values) {
  return {values.begin(), values.end()};
}

at::Tensor stacked(const std::vector<image::Image>& images) {
  std::vector<at::Tensor> tensors;
  for (const image::Image& image : images) {
    tensors.push_back(at::from_blob(const_cast<uint8_t*>(image.pixels.data()),
                                    {image.rows, image.cols, image.channels}, at::kByte));
  }
  return at::stack(tensors);  // [B, H, W, C]
}

void show_pixels(const ImagePredictions& predictions, const recipe::Recipe& recipe,
                 viz::Reconstruction& row) {
  row.views = predictions.views;
  row.predictions_GLD = predictions.predictions_GLD;
  row.hidden_GL = predictions.hidden_GL;
  row.normalised_patches = recipe.pretrain().targets.norm_pix;
  row.variance_epsilon = recipe.pretrain().targets.variance_epsilon;
  row.scale = {floats(recipe.data.mean), floats(recipe.data.stddev)};
}

// Tiles of one image that show a feature target and its reconstruction, the mean over views.
viz::FeatureTiles feature_tiles(const std::string& name, const at::Tensor& wanted_LD,
                                const ImagePredictions& predictions, masks::Grid grid,
                                int64_t side) {
  const at::Tensor raster_LD = wanted_LD.to(at::kFloat).contiguous();
  const viz::MergedViews merged = viz::merge_views(
      predictions.predictions_GLD, predictions.hidden_GL, predictions.views, grid.patches());
  const std::span<const float> wanted(raster_LD.const_data_ptr<float>(),
                                      static_cast<size_t>(raster_LD.numel()));
  const viz::Components components = viz::principal_components(wanted, grid.patches());
  return {name, viz::components_image(components, wanted, {}, grid.rows, grid.cols, side),
          viz::components_image(components, merged.values_LD, merged.predicted_L, grid.rows,
                                grid.cols, side)};
}

}  // namespace

image::Image reconstruction_sheet(const models::MaskedAutoencoder& model,
                                  const targets::Teachers* teachers, const recipe::Recipe& recipe,
                                  const std::vector<image::Image>& images, uint64_t seed,
                                  const std::string& title) {
  const at::NoGradGuard no_grad;
  const ops::ReferenceOps reference(recipe.debug.reference_ops);
  std::vector<int64_t> ids(images.size());
  std::iota(ids.begin(), ids.end(), 0);
  const masks::ViewPlan plan =
      masks::plan_for_samples(ids, seed, 0, model.grid(), recipe.pretrain().masks)
          .to(model.device());
  const at::Tensor images_BHWC = models::to_device(stacked(images), model.device());
  const at::Tensor pixels = models::pixels_of(images_BHWC, plan, model.geometry(), recipe.data);
  const at::ScalarType compute = recipe::compute_type(recipe.model.precision, model.device());
  targets::Features features;
  if (teachers != nullptr) features = teachers->features(images_BHWC, pixels, plan, compute);
  const auto result = on_cpu(model.forward(pixels, plan, compute, {}, features).reconstruction);
  const masks::ViewPlan here = plan.to(at::kCPU);
  for (auto& [name, feature] : features) feature = feature.cpu();

  const int64_t side = model.geometry().patch_side();
  std::vector<ImagePredictions> pixel_predictions(images.size());  // `rows` refer to its elements
  std::vector<viz::Reconstruction> rows(images.size());
  for (size_t i = 0; i < images.size(); ++i) {
    rows[i].original = images[i];
    rows[i].side = side;
    rows[i].views = 0;
  }
  size_t target = 0;
  for (const std::string& name : recipe.pretrain().targets.reconstructed()) {
    const bool rgb = name == "rgb";
    const Selected selected{result, here, target++,
                            rgb ? pixel_places(model.geometry(), recipe.data.channels)
                                : in_order(features.at(name).size(2))};
    for (size_t i = 0; i < images.size(); ++i) {
      const auto image = static_cast<int64_t>(i);
      ImagePredictions predictions = predictions_of(selected, image);
      if (rgb) {
        pixel_predictions[i] = std::move(predictions);
        show_pixels(pixel_predictions[i], recipe, rows[i]);
      } else {
        const at::Tensor raster_LD =
            features.at(name)[image].index_select(0, here.order_BL[image].argsort());
        rows[i].features.push_back(feature_tiles(name, raster_LD, predictions, model.grid(), side));
      }
    }
  }
  return viz::reconstruction_sheet(rows, title);
}

image::Image fit_to_recipe(const image::Image& image, const recipe::Recipe& recipe) {
  image::Image fitted{recipe.data.image_size[0], recipe.data.image_size[1], image.channels, {}};
  fitted.pixels.resize(static_cast<size_t>(fitted.rows * fitted.cols * fitted.channels));
  loader::crop_for_evaluation(image, recipe.data, fitted.pixels.data());
  return fitted;
}

}  // namespace fcm::tasks
